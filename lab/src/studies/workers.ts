/**
 * Runs units in child processes, a fixed number at a time and each with its own threads, in the order in which they were asked for.
 * For models of this size two processes of one thread do more than one of two. This process makes no tensors.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { prepareThreads } from 'looprpt/internal/base/threads.js';
import type { RunUnit } from './run-unit.js';
import type { Unit } from './unit.js';

export interface ToWorker {
  unit: Unit;
}
export type FromWorker = { kind: 'progress'; share: number } | { kind: 'done' };

interface Waiting {
  unit: Unit;
  onProgress: (share: number) => void;
  resolve: () => void;
  reject: (error: Error) => void;
}

const STOPPED = 'stopped before the unit began';
const PROGRAM = fileURLToPath(new URL('./worker.js', import.meta.url));

export class Workers implements Disposable {
  readonly #idle: ChildProcess[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #all = new Set<ChildProcess>();
  #queue: Waiting[] = [];
  #stopped = false;

  constructor(
    private readonly folder: string,
    private readonly jobs: number,
    private readonly threads: number,
    private readonly program: string = PROGRAM,
  ) {}

  /** @throws when the worker ended before the unit did; what it had to say is on standard error */
  run: RunUnit = (unit, onProgress) =>
    new Promise((resolve, reject) => {
      if (this.#stopped) {
        reject(new Error(STOPPED));
        return;
      }
      this.#queue.push({ unit, onProgress, resolve, reject });
      this.#next();
    });

  /** Begins no further unit: those that wait are rejected once the running ones are done. */
  stop(): void {
    this.#stopped = true;
    const waiting = this.#queue;
    this.#queue = [];
    void Promise.allSettled(this.#running).then(() => {
      for (const { reject } of waiting) reject(new Error(STOPPED));
    });
  }

  #next(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? (this.#all.size < this.jobs ? this.#start() : undefined);
      if (!worker) return;
      this.#give(worker, this.#queue.shift()!);
    }
  }

  #start(): ChildProcess {
    const env = { ...process.env };
    prepareThreads(env, this.threads);
    const worker = fork(this.program, [this.folder], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#all.add(worker);
    return worker;
  }

  #give(worker: ChildProcess, { unit, onProgress, resolve, reject }: Waiting): void {
    let end = (): void => {};
    const ended = new Promise<void>((settle) => {
      end = settle;
    });
    this.#running.add(ended);
    void ended.then(() => this.#running.delete(ended));
    const onExit = (code: number | null, signal: string | null): void => {
      this.#all.delete(worker);
      end();
      reject(new Error(`a worker ended with ${signal ?? code} before its unit (${unit.kind}) was done`));
    };
    const onMessage = (message: FromWorker): void => {
      if (message.kind === 'progress') {
        onProgress(message.share);
        return;
      }
      worker.off('exit', onExit);
      worker.off('message', onMessage);
      this.#idle.push(worker);
      end();
      resolve();
      this.#next();
    };
    worker.on('exit', onExit);
    worker.on('message', onMessage);
    worker.send({ unit } satisfies ToWorker);
  }

  [Symbol.dispose](): void {
    for (const worker of this.#all) worker.disconnect();
  }
}
