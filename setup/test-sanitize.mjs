/**
 * `npm run test:sanitize`: the engine's tests, and the decoder on models without numbers, on an addon with AddressSanitizer and
 * UndefinedBehaviorSanitizer, built into a folder of its own. Arguments go to `vitest run` in place of these. A finding ends the process that it is made in, and so fails its
 * test file. Leaks are not looked for: node's own drown all others.
 */
import './node-version.mjs';

const { runChild } = await import('./child.mjs');
const { root, setUp } = await import('./setup.mjs');

process.env.LOOPRPT_SANITIZE = '1';
process.env.LOOPRPT_ENGINE_BUILD = `${root}/packages/engine/build/sanitize/engine.json`;
let status = await setUp();
if (status === 0) {
  const { readFileSync } = await import('node:fs');
  const { sanitizerEnvironment } = await import('../packages/engine/setup/sanitizer.mjs');
  const { compiler } = JSON.parse(readFileSync(process.env.LOOPRPT_ENGINE_BUILD, 'utf8'));
  const given = process.argv.slice(2);
  const usual = ['packages/engine/src', 'packages/looprpt/src/decode/weights-without-numbers.test.ts'];
  const args = ['run', '--testTimeout=600000', ...(given.length > 0 ? given : usual)];
  status = await runChild(process.execPath, ['node_modules/vitest/vitest.mjs', ...args], {
    cwd: root,
    env: { ...process.env, ...sanitizerEnvironment(compiler) },
  });
}
process.exitCode = status;
