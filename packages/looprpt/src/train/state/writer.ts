/**
 * Writes a run's checkpoints in a thread of its own, from copies in memory, while training goes on.
 *
 * Invariants: never two at once (the next one waits for the one before); nothing is handed over that is not finite; a failure to
 * write comes out of the next call, and every call after it. Messages of the thread arrive when the event loop has its turn.
 */
import { Worker } from 'node:worker_threads';
import { UserError } from '../../base/user-error.js';
import { checkpointPath } from './folder.js';
import type { RetentionPolicy } from './retention.js';
import { type CheckpointContent, SnapshotMemory } from './snapshot.js';
import type { FileImage } from './write-job.js';
import type { WriteAnswer } from './writer-thread.js';

/** The compiled thread, from the sources and from the compiled files alike. */
const THREAD = new URL('../../../dist/train/state/writer-thread.js', import.meta.url);

/** How long a checkpoint took, and how much of that training stood still for. */
export interface CheckpointTiming {
  step: number;
  /** Waiting for the checkpoint before. */
  waitSeconds: number;
  /** Copying the state. */
  snapshotSeconds: number;
  /** In the thread: checksums, writing, syncing, removing old ones. */
  writeSeconds: number;
  bytes: number;
}

export interface WriterOptions {
  runFolder: string;
  retention: RetentionPolicy;
  /** Files that go with every checkpoint as they are. */
  companions: readonly FileImage[];
  /** Must be on the disk before a checkpoint is. */
  syncFirst: readonly string[];
  /** Asked before every checkpoint: throws if this process may no longer write to the folder. */
  assertOwner?: () => void;
  onWritten?: ((timing: CheckpointTiming) => void) | undefined;
}

export class CheckpointWriter implements AsyncDisposable {
  readonly #options: WriterOptions;
  readonly #memory = new SnapshotMemory();
  #thread: Worker | null = null;
  #writing: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Copies the state, which must be finite, and hands it to the thread; returns before it is written.
   * @returns the folder that the checkpoint will be
   * @throws UserError when a checkpoint before this one could not be written
   */
  async save(content: CheckpointContent): Promise<string> {
    const began = performance.now();
    await this.idle();
    this.#options.assertOwner?.();
    const waited = performance.now();
    const { companions } = this.#options;
    const withCode = companions.some(({ name }) => name.endsWith('.py'));
    const files = [...this.#memory.take(content, { withCode }), ...companions];
    const copied = performance.now();
    const { runFolder, retention, syncFirst } = this.#options;
    const { step } = content.state;
    this.#thread ??= new Worker(THREAD);
    this.#thread.postMessage({ runFolder, step, files, syncFirst, retention });
    this.#writing = this.#answer(this.#thread).then((writeSeconds) => {
      this.#writing = null;
      if (writeSeconds === null) return;
      const bytes = files.reduce((sum, { pieces }) => sum + pieces.reduce((n, piece) => n + piece.length, 0), 0);
      const timing = { waitSeconds: (waited - began) / 1000, snapshotSeconds: (copied - waited) / 1000 };
      this.#options.onWritten?.({ step, ...timing, writeSeconds, bytes });
    });
    return checkpointPath(runFolder, step);
  }

  /** Whether a checkpoint is being written. */
  get busy(): boolean {
    return this.#writing !== null;
  }

  /** Waits until nothing is being written. @throws UserError when a checkpoint could not be written */
  async idle(): Promise<void> {
    await this.#writing;
    this.check();
  }

  /** @throws UserError when a checkpoint could not be written, as far as is known by now */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits for what is being written; a failure that nobody has heard of yet stays unheard. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#thread?.terminate();
  }

  /** Seconds; null after a failure. */
  #answer(thread: Worker): Promise<number | null> {
    return new Promise((resolve) => {
      const end = (seconds: number | null, failure: { error: unknown } | null): void => {
        thread.off('message', onMessage).off('error', onError);
        this.#failure = failure;
        resolve(seconds);
      };
      const onMessage = (answer: WriteAnswer): void => {
        if (answer.kind === 'written') end(answer.seconds, null);
        else if (answer.kind === 'refused') end(null, { error: new UserError(answer.message) });
        else end(null, { error: answer.error });
      };
      const onError = (error: unknown): void => end(null, { error });
      thread.on('message', onMessage).on('error', onError);
    });
  }
}
