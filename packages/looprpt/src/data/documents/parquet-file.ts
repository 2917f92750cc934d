/**
 * A Parquet file, decoded in a thread that may take only so long and so much memory: what a damaged file does to its decoder
 * is a reason in words, and this process goes on. An idle thread serves the next file.
 */
import { statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { ParquetAnswer, ParquetQuestion } from './parquet-thread.js';

/** The compiled thread, from the sources and from the compiled files alike. */
const THREAD = new URL('../../../dist/data/documents/parquet-thread.js', import.meta.url);

export interface ParquetLimits {
  /** For one row group; every megabyte of the file adds a second. */
  seconds: number;
  /** Of JavaScript's heap in the thread. */
  megabytes: number;
}

export const DEFAULT_LIMITS: ParquetLimits = { seconds: 30, megabytes: 2048 };

export interface Fault {
  readonly fault: string;
}

/** Threads that wait for a file, of the limits that they were started with. */
const idle: { thread: Worker; megabytes: number }[] = [];

export class ParquetFile implements Disposable {
  readonly columns: readonly string[];
  /** Row groups. */
  readonly groups: number;
  readonly #decoder: Decoder;

  private constructor(decoder: Decoder, { columns, groups }: { columns: string[]; groups: number }) {
    this.#decoder = decoder;
    this.columns = columns;
    this.groups = groups;
  }

  static async open(path: string, limits: ParquetLimits = DEFAULT_LIMITS): Promise<ParquetFile | Fault> {
    const seconds = limits.seconds + statSync(path).size / 2 ** 20;
    const decoder = new Decoder({ ...limits, seconds });
    const answer = await decoder.ask({ kind: 'open', path });
    if (answer.kind === 'opened') return new ParquetFile(decoder, answer);
    decoder[Symbol.dispose]();
    return faultOf(answer);
  }

  /** @returns the rows of a group, and the number of its first one in the file, from 0 */
  async rows(
    group: number,
    columns: readonly string[] | undefined,
  ): Promise<{ first: number; rows: Record<string, unknown>[] } | Fault> {
    const answer = await this.#decoder.ask({ kind: 'rows', group, columns });
    return answer.kind === 'rows' ? answer : faultOf(answer);
  }

  [Symbol.dispose](): void {
    this.#decoder[Symbol.dispose]();
  }
}

function newThread(megabytes: number): Worker {
  const thread = new Worker(THREAD, { resourceLimits: { maxOldGenerationSizeMb: megabytes } });
  // One that is being ended may still run out of memory, when nobody asks any more.
  return thread.on('error', () => undefined);
}

/** Kept out of threads that died: whatever was asked of it afterwards is a fault too. */
class Decoder implements Disposable {
  readonly #limits: ParquetLimits;
  #thread: Worker | null;

  constructor(limits: ParquetLimits) {
    this.#limits = limits;
    const { megabytes } = limits;
    const waiting = idle.findIndex((entry) => entry.megabytes === megabytes);
    this.#thread = waiting >= 0 ? idle.splice(waiting, 1)[0]!.thread : newThread(megabytes);
    this.#thread.ref();
  }

  ask(question: ParquetQuestion): Promise<ParquetAnswer> {
    const thread = this.#thread;
    if (thread === null) return Promise.resolve({ kind: 'fault', fault: 'the file could not be decoded' });
    return new Promise((resolve) => {
      const end = (answer: ParquetAnswer): void => {
        clearTimeout(timer);
        thread.off('message', end).off('error', onDeath);
        resolve(answer);
      };
      const die = (fault: string): void => {
        this.#thread = null;
        void thread.terminate();
        end({ kind: 'fault', fault });
      };
      // A thread out of memory dies with an error of its own.
      const onDeath = (error: Error): void => die(`decoding failed (${error.message})`);
      const { seconds } = this.#limits;
      const timer = setTimeout(() => die(`decoding did not end within ${Math.round(seconds)} s`), 1000 * seconds);
      thread.on('message', end).on('error', onDeath);
      thread.postMessage(question);
    });
  }

  [Symbol.dispose](): void {
    const thread = this.#thread;
    if (thread === null) return;
    this.#thread = null;
    // One is enough: files are read one after the other.
    if (idle.length > 0) void thread.terminate();
    else {
      thread.unref();
      idle.push({ thread, megabytes: this.#limits.megabytes });
    }
  }
}

function faultOf(answer: ParquetAnswer): Fault {
  return { fault: answer.kind === 'fault' ? answer.fault : 'the decoder gave another answer than asked for' };
}
