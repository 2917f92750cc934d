/**
 * The ranks of one machine as processes, started together and ended together: when one fails, the others are asked to stop
 * (SIGTERM), and after a grace made to (SIGKILL). Each is a process group of its own, so whatever it started goes with it.
 *
 * Standard output of rank 0 is this process's own, so that results can be piped; everything else goes to standard error, line by
 * line, with the rank in front.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { TerminalStream } from '../../base/terminal/output.js';
import { LinePrefix } from './line-prefix.js';

export interface RankProgram {
  rank: number;
  command: string;
  args: readonly string[];
  environment: NodeJS.ProcessEnv;
}

export interface RankStreams {
  stdout: TerminalStream;
  stderr: TerminalStream;
}

/** How a rank ended that did not end well. */
export interface RankFailure {
  rank: number;
  /** As a shell has it: 128 + n after signal n. */
  exitCode: number;
  reason: string;
  /** The last lines of its standard error. */
  lastLines: readonly string[];
}

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The program could not be started at all. */
  error?: Error;
}

export class Ranks {
  readonly #children: ChildProcess[];
  readonly #running = new Set<ChildProcess>();
  readonly #graceSeconds: number;
  #stopping: NodeJS.Timeout | null = null;
  #failure: RankFailure | null = null;
  #interrupted = false;
  readonly #ended: Promise<unknown>;

  constructor(programs: readonly RankProgram[], streams: RankStreams, graceSeconds: number) {
    this.#graceSeconds = graceSeconds;
    this.#children = programs.map(({ command, args, environment }) =>
      spawn(command, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'], detached: true }),
    );
    for (const child of this.#children) this.#running.add(child);
    this.#ended = Promise.all(this.#children.map((child, i) => this.#follow(child, programs[i]!, streams)));
  }

  /** When all have ended. @returns the first failure, or null */
  async ended(): Promise<RankFailure | null> {
    await this.#ended;
    if (this.#stopping) clearTimeout(this.#stopping);
    return this.#failure;
  }

  /** Hands the user's signal on to all that still run; that they end of it is no failure. */
  interrupt(name: NodeJS.Signals): void {
    this.#interrupted = true;
    for (const child of this.#running) this.#kill(child, name);
  }

  #follow(child: ChildProcess, { rank, command }: RankProgram, { stdout, stderr }: RankStreams): Promise<void> {
    const errors = new LinePrefix(`[rank ${rank}] `, (text) => stderr.write(text));
    const output = rank === 0 ? null : new LinePrefix(`[rank ${rank}] `, (text) => stderr.write(text));
    child.stderr!.on('data', (chunk: Buffer) => errors.push(chunk));
    child.stdout!.on('data', (chunk: Buffer) => (output ? output.push(chunk) : stdout.write(chunk)));
    return new Promise((resolve) => {
      // A rank counts as ended when its process has, though a process that it left behind may hold its streams.
      const over = (ended: Ended): void => {
        this.#running.delete(child);
        const reason = reasonOf(ended, command);
        if (reason === null || this.#failure !== null || (this.#interrupted && isInterruption(ended))) return;
        this.#failure = { rank, exitCode: codeOf(ended), reason, lastLines: errors.last };
        this.#stop();
      };
      child.once('exit', (code, signal) => over({ code, signal }));
      child.once('error', (error) => {
        over({ code: null, signal: null, error });
        resolve();
      });
      child.once('close', () => {
        errors.end();
        output?.end();
        resolve();
      });
    });
  }

  #stop(): void {
    for (const child of this.#running) this.#kill(child, 'SIGTERM');
    this.#stopping ??= setTimeout(() => {
      // Of ranks that have ended too: what they left behind holds their streams open.
      for (const child of this.#children) this.#kill(child, 'SIGKILL');
    }, 1000 * this.#graceSeconds);
  }

  #kill({ pid }: ChildProcess, name: NodeJS.Signals): void {
    if (pid === undefined) return;
    try {
      process.kill(-pid, name);
    } catch (error) {
      // It has ended in the meantime.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function isInterruption({ code, signal }: Ended): boolean {
  return code === 130 || signal === 'SIGINT' || signal === 'SIGTERM' || signal === 'SIGHUP';
}

/** Null after a good end. */
function reasonOf({ code, signal, error }: Ended, command: string): string | null {
  if (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return missing ? `cannot be started: there is no program ${command}` : `cannot be started: ${error.message}`;
  }
  if (signal) return `was ended by ${signal}`;
  return code === 0 ? null : `ended with exit code ${code}`;
}

function codeOf({ code, signal, error }: Ended): number {
  if (error) return 127;
  return signal ? 128 + constants.signals[signal] : (code ?? 1);
}
