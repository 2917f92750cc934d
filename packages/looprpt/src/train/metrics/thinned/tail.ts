/**
 * Follows a `metrics.jsonl` that another process writes: whole lines as they appear, from the start when the file was replaced or cut,
 * which is what a resumed run does. Never writes, never waits.
 *
 * A line that is being written has no newline yet and is left for the next time.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const NEWLINE = 10;
/** A record is below a kilobyte. What is longer than this is no line of ours. */
const LONGEST_LINE = 1 << 20;

export interface TailNews {
  /** The file was begun anew: whatever came before is void. */
  restarted: boolean;
  /** Bytes that are there and have not been looked at; a line that has no end yet was. */
  left: number;
}

export class MetricsTail {
  readonly path: string;
  #identity = '';
  #offset: number;
  #size = 0;

  /** @param offset where to begin: behind a line that was read before */
  constructor(path: string, offset = 0) {
    this.path = path;
    this.#offset = offset;
  }

  /** Bytes of whole lines that were read. */
  get offset(): number {
    return this.#offset;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * @param take gets whole lines as they are in the file, after `onRestart` where there was one
   * @param most bytes of this call, about
   * @returns null where there is no such file
   */
  read(take: TakeLines, most: number, onRestart: () => void = () => {}): TailNews | null {
    const descriptor = opened(this.path);
    if (descriptor === null) return null;
    try {
      const { ino, dev, size } = fstatSync(descriptor);
      const identity = `${dev}:${ino}`;
      const restarted = (this.#identity !== '' && identity !== this.#identity) || size < this.#offset;
      if (restarted) {
        this.#offset = 0;
        onRestart();
      }
      this.#identity = identity;
      this.#size = size;
      const { read, looked } = readLines(descriptor, { begin: this.#offset, end: size, most }, take);
      const left = size - this.#offset - looked;
      this.#offset += read;
      return { restarted, left };
    } finally {
      closeSync(descriptor);
    }
  }
}

/** @param lines whole ones; empty for a stretch without any, which is none of ours @param offset where they begin */
export type TakeLines = (lines: Buffer, offset: number) => void;

/**
 * Whole lines of a part of a file.
 * @returns bytes of whole lines, and bytes that were looked at for them
 */
export function readLines(
  descriptor: number,
  { begin, end, most }: { begin: number; end: number; most: number },
  take: TakeLines,
): { read: number; looked: number } {
  const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(end - begin, Math.max(most, LONGEST_LINE))));
  const length = buffer.length === 0 ? 0 : readSync(descriptor, buffer, 0, buffer.length, begin);
  const read = buffer.subarray(0, length).lastIndexOf(NEWLINE) + 1;
  if (read > 0) take(buffer.subarray(0, read), begin);
  // Something without lines: as good as one that cannot be read.
  else if (length >= LONGEST_LINE) {
    take(buffer.subarray(0, 0), begin);
    return { read: length, looked: length };
  }
  return { read, looked: length };
}

/** Null where there is no such file, or it may not be read. */
export function opened(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}
