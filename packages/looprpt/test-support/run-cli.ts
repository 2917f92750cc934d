/**
 * The command line in a test: inside this process (fast, from the sources), or as a process of its own (the compiled program,
 * for signals and exit codes). Never imported by the product.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';

import type { TerminalStream } from 'looprpt/internal/base/terminal/output.js';
import { main } from 'looprpt/internal/cli/main.js';
import { PROGRAM } from './program.js';

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

class Captured extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs one command line in this process. */
export async function runCli(...args: string[]): Promise<CliResult> {
  const stdout = new Captured();
  const stderr = new Captured();
  const code = await main(args, { stdout: stdout as TerminalStream, stderr: stderr as TerminalStream });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** The same, which must end well; the one JSON object on stdout. */
export async function runJson<T = unknown>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await runCli(...args, '--json');
  if (code !== 0) throw new Error(`looprpt ${args.join(' ')} ended with ${code}: ${stderr}`);
  if (stdout.indexOf('\n') !== stdout.length - 1) throw new Error(`not one line on stdout: ${stdout.slice(0, 200)}`);
  return JSON.parse(stdout) as T;
}

/** Starts the compiled program. @returns the process, and a promise of how it ended */
export function spawnCli(args: readonly string[], cwd: string): { child: ChildProcess; ended: Promise<CliResult> } {
  const child = spawn(process.execPath, [PROGRAM, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      texts[name] += chunk.toString();
    });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number, ...texts }));
  return { child, ended };
}

/** Settings of a model and a run that take a second. */
export const TINY_RUN = {
  model: {
    tokenizer: 'tokenizer',
    architecture: { hiddenSize: 16, intermediateSize: 24, layers: 1, heads: 2, loops: 3 },
  },
  data: { task: { task: 'hop', compact: true, queries: 6, symbols: 4, hops: 2 } },
  objective: { kind: 'stage1' },
  out: 'runs/base',
  steps: 4,
  batch: { rows: 2, sequenceLength: 32, pack: 'whole' },
  schedule: { warmupSteps: 1 },
};

/** The task of `TINY_RUN` as options of `data make` and `eval`. */
export const TINY_TASK = ['--set', 'compact=true', '--set', 'queries=6', '--set', 'symbols=4', '--set', 'hops=2'];

/** Into a folder: `hop.jsonl`, `tokenizer/`, `base.json` and `looprpt.json` (configurations for pretrain and train). */
export async function tinyProject(folder: string): Promise<void> {
  const path = (name: string): string => join(folder, name);
  await runJson('data', 'make', 'hop', ...TINY_TASK, '--count', '30', '--out', path('hop.jsonl'));
  await runJson('tokenizer', 'train', '--input', path('hop.jsonl'), '--vocab', '280', '--out', path('tokenizer'));
  writeFileSync(path('base.json'), JSON.stringify(TINY_RUN));
  const improved = { ...TINY_RUN, model: { from: 'runs/base' }, objective: { kind: 'looprpt', rolloutCount: 2 } };
  writeFileSync(path('looprpt.json'), JSON.stringify({ ...improved, out: 'runs/looprpt' }));
}
