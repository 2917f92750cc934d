import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { runChild } from './child.mjs';

/** @param {string} script */
const node = (script) => runChild(process.execPath, ['-e', script]);

test("the child's exit code", async () => {
  expect(await node('')).toBe(0);
  expect(await node('process.exit(7)')).toBe(7);
});

test('a child ended by a signal: 128 + its number', async () => {
  expect(await node('process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 10000)')).toBe(143);
});

test.each(['SIGINT', 'SIGTERM'])('%s is passed on, and the child is waited for', async (signal) => {
  const child = `
    process.on('${signal}', () => setTimeout(() => { console.log('saved'); process.exit(130); }, 100));
    setInterval(() => {}, 1000);
    console.log('ready');`;
  const parent = `
    import { runChild } from ${JSON.stringify(new URL('./child.mjs', import.meta.url).href)};
    process.exitCode = await runChild(process.execPath, ['-e', ${JSON.stringify(child)}]);`;
  const run = spawn(process.execPath, ['--input-type=module', '-e', parent], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  run.stdout.on('data', (chunk) => {
    output += chunk;
    if (output === 'ready\n') run.kill(/** @type {NodeJS.Signals} */ (signal));
  });
  const [code] = await once(run, 'close');
  expect(output).toBe('ready\nsaved\n');
  expect(code).toBe(130);
});
