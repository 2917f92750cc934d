/** Threads that read long metrics beside each other: asked for one file at a time each, begun when they are first needed. */
import { availableParallelism } from 'node:os';
import { digestBytes } from '../../train/metrics/thinned/digest.js';
import { Asker } from '../thread/asker.js';
import { KeptDigests } from './kept-digests.js';
import type { ReaderAnswers } from './reader-protocol.js';
import type { WatchedRun } from './run.js';

/** A shorter rest of a file is read where it is asked for. */
export const LONG = 2 << 20;
const MOST_THREADS = 4;

export class Readers implements AsyncDisposable {
  readonly kept: KeptDigests;
  readonly #threads = Array.from(
    { length: Math.min(MOST_THREADS, availableParallelism()) },
    () => new Asker<ReaderAnswers>('folders/reader-thread.js', null),
  );
  readonly #idle = [...this.#threads];
  /** Runs that are being read. */
  readonly #busy = new Map<WatchedRun, Promise<void>>();
  /** Runs that no thread can read. */
  readonly #given = new WeakSet<WatchedRun>();

  constructor(kept = new KeptDigests()) {
    this.kept = kept;
  }

  /** Resolves when one of those that are being read is done; null where none is. */
  get next(): Promise<void> | null {
    return this.#busy.size === 0 ? null : Promise.race(this.#busy.values());
  }

  /**
   * @param onRead when the run has what was read of it
   * @returns false where the run is to be read by whoever asks; true where it is being read, or will be when it is asked for again
   */
  take(run: WatchedRun, onRead: () => void): boolean {
    if (this.#busy.has(run)) return true;
    if (this.#given.has(run) || run.unread < LONG) return false;
    const asker = this.#idle.pop();
    if (asker) this.#busy.set(run, this.#read(run, asker).then(onRead));
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const thread of this.#threads) await thread[Symbol.asyncDispose]();
  }

  async #read(run: WatchedRun, asker: Asker<ReaderAnswers>): Promise<void> {
    const { metrics, digest } = run;
    const known = digest.covers === 0 ? null : digestBytes(digest, metrics);
    try {
      const bytes = await asker.ask('read', { metrics, known, keep: this.kept.path(metrics) });
      if (bytes === null || !run.adopt(Buffer.from(bytes))) this.#given.add(run);
    } catch {
      this.#given.add(run);
    }
    this.#busy.delete(run);
    this.#idle.push(asker);
    if (this.#busy.size === 0) this.kept.prune();
  }
}
