/**
 * `metrics.jsonl`: one JSON object a line, one line a training step, appended as the run goes.
 *
 * Invariants: a record is handed to the operating system in a single write that ends in a newline, so a killed process
 * leaves at most one damaged line, the last; a full disk does no worse; steps strictly increase; a resumed run first calls `truncateAfter` with
 * its checkpoint's step, so that no step is missing or there twice.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { writeFailure } from '../state/write-failure.js';
import { type MetricsRecord, MetricsRecordSchema, type MetricsSink } from './record.js';

/** The file's name in a run folder. */
export const METRICS_FILE = 'metrics.jsonl';

export class MetricsLog implements MetricsSink {
  readonly #path: string;
  readonly #sync: boolean;
  #descriptor: number;
  #closed = false;

  /**
   * Opens `path` for appending and creates it if it is not there.
   *
   * @param options.sync force every record to the disk (fsync); needed only against a power cut, not against a kill
   * @throws UserError when the disk refuses
   */
  constructor(path: string, options: { sync?: boolean } = {}) {
    this.#path = path;
    this.#sync = options.sync ?? false;
    this.#descriptor = writing(path, () => openSync(path, 'a'));
  }

  /** @throws UserError when the disk refuses; a part of the line may then be in the file, as after a kill */
  write(record: MetricsRecord): void {
    writing(this.#path, () => {
      writeAll(this.#descriptor, Buffer.from(`${JSON.stringify(record)}\n`));
      if (this.#sync) fsyncSync(this.#descriptor);
    });
  }

  rewind(step: number): void {
    closeSync(this.#descriptor);
    truncateAfter(this.#path, step);
    this.#descriptor = writing(this.#path, () => openSync(this.#path, 'a'));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    fsyncSync(this.#descriptor);
    closeSync(this.#descriptor);
  }
}

export interface MetricsHistory {
  records: MetricsRecord[];
  /** The last line was cut off by a kill and is not among the records. */
  damagedTail: boolean;
}

/**
 * Reads a whole `metrics.jsonl`. A damaged last line is left out; one anywhere else is a `UserError` with its number.
 */
export function readMetrics(path: string): MetricsHistory {
  const { lines, tail } = wholeLines(path);
  const records = lines.map((line, index) => parseRecord(path, line, index + 1));
  return { records, damagedTail: tail.length > 0 };
}

/**
 * Drops the records of steps beyond `step`, and a damaged last line, by replacing the file as a whole.
 * A file that does not exist stays so.
 */
export function truncateAfter(path: string, step: number): void {
  if (!existsSync(path)) return;
  const { lines, tail } = wholeLines(path);
  const kept = lines.filter((line, index) => parseRecord(path, line, index + 1).step <= step);
  if (kept.length === lines.length && tail.length === 0) return;
  const temporary = `${path}.partial`;
  writing(path, () => {
    rmSync(temporary, { force: true });
    const descriptor = openSync(temporary, 'wx');
    writeAll(descriptor, Buffer.from(kept.map((line) => `${line}\n`).join('')));
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(temporary, path);
  });
}

/** @throws UserError instead of the system's error when the disk refuses */
function writing<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw writeFailure(error, path);
  }
}

/** The lines that end in a newline, and what stands behind the last of them. */
function wholeLines(path: string): { lines: string[]; tail: string } {
  const lines = readFileSync(path, 'utf8').split('\n');
  const tail = lines.pop() ?? '';
  return { lines, tail };
}

function parseRecord(path: string, line: string, lineNumber: number): MetricsRecord {
  const parsed = MetricsRecordSchema.safeParse(jsonOrUndefined(line));
  if (parsed.success) return parsed.data;
  const problem = z.prettifyError(parsed.error).replaceAll('\n', ' ');
  throw new UserError(`${path}:${lineNumber}: not a metrics record (${problem}); delete this line to go on without it`);
}

function jsonOrUndefined(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset);
}
