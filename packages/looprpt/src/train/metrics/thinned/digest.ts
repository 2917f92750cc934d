/**
 * What has been read of a `metrics.jsonl`, kept in a file beside it or elsewhere, so that it need not be read again. May be deleted at any
 * time; what does not fit its metrics, is damaged or of another version counts as not there.
 *
 *   looprpt thinned metrics 1 SHA-256-OF-THE-REST\n
 *   {"covers", "tail", "columns", …}\n
 *   float64 numbers of the series, little-endian
 *
 * Invariant: it is of the first `covers` bytes, and `tail` is a hash of the last of them. Times are among these, so that a run which
 * went back and took its steps again is another one.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { endianness } from 'node:os';
import { dirname } from 'node:path';
import { z } from 'zod';
import { MetricsReading } from './reading.js';
import type { LooseRecord } from './record-line.js';
import { Series } from './series.js';
import { opened } from './tail.js';

/** The file's name in a run folder. */
export const DIGEST_FILE = 'metrics.thin';

const TITLE = 'looprpt thinned metrics 1 ';
const HEX = 64;
const TAIL_BYTES = 4096;
/** Far above what a series can have. */
const MOST_BYTES = 16 << 20;

const count = z.number().int().min(0);
const headSchema = z.strictObject({
  covers: count,
  tail: z.string(),
  width: z.number().int().min(1),
  buckets: count,
  columns: z.array(z.string()),
  last: z.looseObject({ step: z.number().int() }).nullable(),
  recent: z.array(z.tuple([z.number(), z.number()])),
  badLines: z.array(z.string()),
  warnings: z.array(z.string()),
});

export interface Digest {
  reading: MetricsReading;
  /** Bytes of the metrics that it is of. */
  covers: number;
}

/** @returns the file's content; null where the metrics are gone or shorter than that */
export function digestBytes({ reading, covers }: Digest, metrics: string): Buffer | null {
  const tail = tailOf(metrics, covers);
  if (tail === null || endianness() !== 'LE') return null;
  const { series, ...state } = reading.state;
  const { numbers, ...shape } = series.stored;
  const head = Buffer.from(`${JSON.stringify({ covers, tail, ...shape, ...state })}\n`);
  const body = Buffer.concat([head, new Uint8Array(numbers.buffer)]);
  return Buffer.concat([Buffer.from(`${TITLE}${sha256(body)}\n`), body]);
}

/** @returns null where there is none that is of these metrics */
export function digestFrom(bytes: Buffer, metrics: string): Digest | null {
  const body = bytes.subarray(TITLE.length + HEX + 1);
  if (bytes.toString('latin1', 0, TITLE.length + HEX) !== TITLE + sha256(body) || endianness() !== 'LE') return null;
  const newline = body.indexOf(10);
  const head = headSchema.safeParse(jsonOf(body.toString('utf8', 0, newline)));
  if (!head.success) return null;
  const { covers, tail, width, buckets, columns, last, ...state } = head.data;
  if (tailOf(metrics, covers) !== tail) return null;
  const left = body.subarray(newline + 1);
  if (left.length % 8 !== 0) return null;
  // Copied: its place in the file is no multiple of eight.
  const numbers = new Float64Array(Uint8Array.from(left).buffer);
  const series = Series.restored({ width, buckets, columns, numbers });
  return series && { reading: new MetricsReading({ series, last: last as LooseRecord | null, ...state }), covers };
}

/** @returns null where there is none that is of these metrics */
export function readDigest(path: string, metrics: string): Digest | null {
  try {
    return statSync(path).size > MOST_BYTES ? null : digestFrom(readFileSync(path), metrics);
  } catch {
    return null;
  }
}

/**
 * Whole or not at all; its folder is made. Nobody depends on it, so that a disk that refuses is no error, and two that write at once leave
 * one that counts for nothing at worst.
 */
export function writeDigest(path: string, bytes: Buffer | null): void {
  if (bytes === null) return;
  const partial = `${path}.partial`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(partial, bytes);
    renameSync(partial, path);
  } catch {
    rmSync(partial, { force: true });
  }
}

/** Of the last bytes before `end`; null where the file has not so many. */
function tailOf(path: string, end: number): string | null {
  const descriptor = opened(path);
  if (descriptor === null) return null;
  try {
    const piece = Buffer.alloc(Math.min(TAIL_BYTES, end));
    if (fstatSync(descriptor).size < end) return null;
    readSync(descriptor, piece, 0, piece.length, end - piece.length);
    return sha256(piece);
  } finally {
    closeSync(descriptor);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
