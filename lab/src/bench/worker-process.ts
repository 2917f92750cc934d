/**
 * A worker as the benchmark holds it: a process with the threads that were asked for, which waits for a line and answers it.
 * Only one worker is asked at a time, so that each has the machine to itself.
 *
 * The benchmark itself must make no tensors: on Linux the peak memory of a process begins with that of whoever started it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { prepareThreads } from 'looprpt/internal/base/threads.js';
import type { z } from 'zod';
import { toArgv, type WorkerArguments } from './arguments.js';

/** How a program of either side is started, before the worker's arguments. */
export type Program = readonly [command: string, ...args: string[]];

export const OUR_PROGRAM: Program = [process.execPath, fileURLToPath(new URL('./worker.js', import.meta.url))];

/** A worker by its raw arguments. */
export interface Launch {
  name: string;
  threads: number;
  argv: readonly string[];
  /** Of its environment, beside ours. */
  environment?: Readonly<Record<string, string>>;
}

/** The peer's threads sleep at once where they wait, as its own scripts have it; who sets the variables sets them for both sides. */
function start(program: Program, { threads, argv, environment = {} }: Launch): ChildProcess {
  const [command, ...before] = program;
  const env = { ...process.env, ...environment };
  if (program !== OUR_PROGRAM) env.OMP_WAIT_POLICY ??= 'passive';
  prepareThreads(env, threads);
  return spawn(command, [...before, ...argv], { env, stdio: ['pipe', 'pipe', 'inherit'] });
}

function launchOf(program: Program, args: WorkerArguments): Launch {
  const side = program === OUR_PROGRAM ? 'ours' : 'peer';
  return { name: `${side} ${args.worker}`, threads: args.threads, argv: toArgv(args) };
}

/** Runs a worker that asks for nothing. @throws if it fails */
export async function runToEnd(program: Program, args: WorkerArguments): Promise<void> {
  const [code] = await once(start(program, launchOf(program, args)), 'close');
  if (code !== 0) throw new Error(`the worker '${args.worker}' ended with ${code}`);
}

export class WorkerProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;

  constructor(program: Program, args: WorkerArguments | Launch) {
    const launch = 'argv' in args ? args : launchOf(program, args);
    this.#name = launch.name;
    this.#child = start(program, launch);
    this.#closed = once(this.#child, 'close');
    // A worker that has died is noticed by its missing answer.
    this.#child.stdin!.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** @throws if the worker has ended, with how */
  async ask<S extends z.ZodType>(line: string, reply: S): Promise<z.output<S>> {
    this.#child.stdin!.write(`${line}\n`);
    const answer = await this.#lines.next();
    if (!answer.done) return reply.parse(JSON.parse(answer.value));
    await this.#closed;
    const { signalCode, exitCode } = this.#child;
    const how = signalCode === 'SIGKILL' ? 'was killed, probably for want of memory' : `ended with ${exitCode}`;
    throw new Error(`the worker '${this.#name}' ${how}`);
  }

  async close(): Promise<void> {
    this.#child.stdin!.end();
    await this.#closed;
  }
}
