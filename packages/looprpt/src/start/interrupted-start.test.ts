/** Ctrl-C at a terminal in the middle of a job, three times, then to its end: one line each time, and the result of a job left alone. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { PROGRAM } from '../../test-support/program.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { documentAt, taskConfig } from '../data/tasks/index.js';
import { TEXT_ARMS } from './arms.js';
import { REPORT } from './folder.js';

const LINE = 'stopping; the same command goes on from here, and Ctrl-C again stops at once';

/** The compiled program in a process group of its own, as a terminal has it. @param reached when to press Ctrl-C; null: never */
async function start(
  args: readonly string[],
  reached: ((stderr: string) => boolean) | null,
): Promise<{ code: number; stdout: string; stderr: string; after: string }> {
  const child = spawn(process.execPath, [PROGRAM, 'start', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      texts[name] += chunk.toString();
    });
  const ended = once(child, 'close');
  while (reached !== null && child.exitCode === null && !reached(texts.stderr)) await setTimeout(20);
  if (reached !== null && child.exitCode === null) process.kill(-child.pid!, 'SIGINT');
  const [code] = await ended;
  return { code: code as number, ...texts, after: texts.stderr.split(LINE)[1] ?? '' };
}

it('stops with one line and 130 wherever it is, and goes on to the same result', async () => {
  const folder = temporaryFolder();
  const texts = Array.from({ length: 60 }, (_, i) => documentAt(taskConfig('stories', {}), 0, 'train', i).text);
  const input = folder.write('own.jsonl', texts.map((text) => JSON.stringify({ text })).join('\n'));
  const [own, alone] = [join(folder.path, 'own'), join(folder.path, 'alone')];
  // So short a text is read four times at most, which takes seconds.
  const args = (out: string): string[] => ['--input', input, '--minutes', '3', '--threads', '1', '--out', out];
  const isTraining = (run: string) => (): boolean => {
    const metrics = join(own, run, 'metrics.jsonl');
    return existsSync(metrics) && statSync(metrics).size > 0;
  };
  const places = [
    isTraining('base'),
    isTraining('stage1'),
    (stderr: string) => stderr.includes(`${TEXT_ARMS.length + 2}/${TEXT_ARMS.length + 3}`),
  ];
  for (const place of places) {
    const { code, stderr, stdout, after } = await start(args(own), place);
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr.split(LINE)).toHaveLength(2);
    // Of what was under way a progress line may still come; nothing is said to be done.
    expect(after).not.toMatch(/done|rror/);
    expect(existsSync(join(own, REPORT))).toBe(false);
  }
  const whole = await start(args(own), null);
  expect(whole.code).toBe(0);
  for (const name of ['start.json', 'plan.json', 'tokenizer', 'train-shards', 'heldout-shards'])
    cpSync(join(own, name), join(alone, name), { recursive: true });
  const other = await start(args(alone), null);
  expect(other.code).toBe(0);
  const said = (text: string): string => text.split('\nreport: ')[0]!;
  expect(said(whole.stdout)).toMatch(/the best of 5/);
  expect(said(other.stdout)).toBe(said(whole.stdout));
  for (const arm of TEXT_ARMS)
    expect(readFileSync(join(alone, arm.folder, 'eval.json'))).toEqual(
      readFileSync(join(own, arm.folder, 'eval.json')),
    );
}, 400_000);
