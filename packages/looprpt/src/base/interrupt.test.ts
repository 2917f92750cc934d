/** Signals, in the compiled program (`npm run build` first) and in the listener itself. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it, test } from 'vitest';
import { spawnCli, tinyProject } from '../../test-support/run-cli.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { interruption } from './interrupt.js';

const STEPS = 300;

test('Ctrl-C ends a run after its step with a checkpoint and code 130; --resume goes on to the end', async () => {
  const { path } = temporaryFolder();
  await tinyProject(path);
  const args = ['pretrain', '--config', 'base.json', '--set', `steps=${STEPS}`, '--set', 'checkpoint.every=1000'];
  const { child, ended } = spawnCli([...args, '--json', '--threads', '1'], path);
  const metrics = join(path, 'runs/base/metrics.jsonl');
  while (!existsSync(metrics) || readFileSync(metrics).length === 0) await new Promise((next) => setTimeout(next, 20));
  child.kill('SIGINT');
  // npm passes on what the terminal has sent already.
  child.kill('SIGINT');
  const { code, stdout, stderr } = await ended;
  expect(stderr).toContain('stopping after this step');
  expect(code).toBe(130);
  const outcome = JSON.parse(stdout) as { step: number; interrupted: boolean };
  expect(outcome).toMatchObject({ interrupted: true, report: null });
  expect(outcome.step).toBeLessThan(STEPS);
  expect(readdirSync(join(path, 'runs/base/checkpoints'))).toEqual([`step-${outcome.step}`]);

  const resumed = await spawnCli(['pretrain', '--resume', '--out', 'runs/base', '--json', '--quiet'], path).ended;
  expect(resumed.stderr).toBe('');
  expect(JSON.parse(resumed.stdout)).toMatchObject({
    step: STEPS,
    interrupted: false,
    report: 'runs/base/report.html',
  });
  expect(readFileSync(metrics, 'utf8').trim().split('\n')).toHaveLength(STEPS);
});

test('without the compiled program one line says what to do', async () => {
  const { path, write } = temporaryFolder();
  const source = readFileSync(new URL('../../bin/looprpt.js', import.meta.url));
  const bare = write('package/bin/looprpt.js', source);
  const { spawnSync } = await import('node:child_process');
  const { status, stdout, stderr } = spawnSync(process.execPath, [bare, 'doctor'], { cwd: path, encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({
    status: 1,
    stdout: '',
    stderr: 'looprpt: not compiled yet: run `npm run setup` first\n',
  });
});

describe('a second signal', () => {
  const press = (at: number, milliseconds: number[]): { aborted: boolean; codes: number[] } => {
    let clock = at;
    const codes: number[] = [];
    using listening = interruption(new PassThrough(), { abort: (code) => codes.push(code), now: () => clock });
    for (const later of milliseconds) {
      clock = at + later;
      process.emit('SIGINT');
    }
    return { aborted: listening.signal.aborted, codes };
  };

  it('within a second is the same one, later it ends the process', () => {
    expect(press(5000, [])).toEqual({ aborted: false, codes: [] });
    expect(press(5000, [0])).toEqual({ aborted: true, codes: [] });
    expect(press(5000, [0, 3, 900])).toEqual({ aborted: true, codes: [] });
    expect(press(5000, [0, 3, 1500])).toEqual({ aborted: true, codes: [130] });
  });

  it('is not listened for any more after the work', () => {
    const before = process.listenerCount('SIGINT');
    press(0, [0]);
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});
