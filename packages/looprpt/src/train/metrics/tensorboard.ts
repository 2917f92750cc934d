/**
 * TensorBoard event files: every number of a metrics record as a scalar.
 *
 * A file is a sequence of TFRecords (length, masked CRC-32C of the length, data, masked CRC-32C of the data), each an
 * `Event` protocol buffer. Every start of a run, and every return to an earlier step, begins a file of its own. Its `SessionLog.START`
 * tells a TensorBoard that is open to forget what was logged from that step on; out of the older files it is taken, for all other readers.
 */
import { closeSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeFailure } from '../state/write-failure.js';
import { maskedCrc32c } from './crc32c.js';
import { Event } from './event-schema.js';
import type { MetricsRecord, MetricsSink } from './record.js';
import { dropSuperseded, PREFIX } from './superseded.js';

const SESSION_START = 1;

export interface TensorBoardOptions {
  /** The first step that this part of the run will log; 1 for a fresh run. */
  firstStep?: number;
  /** The clock, for wall times and the file's name. */
  now?: () => number;
}

export class TensorBoardLog implements MetricsSink {
  readonly #folder: string;
  readonly #now: () => number;
  #path: string;
  #descriptor: number;
  #closed = false;

  /** Creates an event file in `folder`, which is created too if need be. */
  constructor(folder: string, options: TensorBoardOptions = {}) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#now = options.now ?? Date.now;
    [this.#path, this.#descriptor] = this.#begin(options.firstStep ?? 1);
  }

  /** The path of the event file that is being written. */
  get path(): string {
    return this.#path;
  }

  write(record: MetricsRecord): void {
    const value = scalars(record).map(([tag, simpleValue]) => ({ tag, simpleValue }));
    this.#event({ step: record.step, summary: { value } });
  }

  rewind(step: number): void {
    closeSync(this.#descriptor);
    [this.#path, this.#descriptor] = this.#begin(step + 1);
  }

  /** A new file, and none of its steps in the older ones. */
  #begin(step: number): [path: string, descriptor: number] {
    dropSuperseded(this.#folder, step);
    const milliseconds = this.#now();
    const seconds = Math.max(Math.floor(milliseconds / 1000), newestSeconds(this.#folder) + 1);
    const unique = `${process.pid}.${Math.round(milliseconds % 1000)}`;
    const path = join(this.#folder, `${PREFIX}${seconds}.${hostname()}.${unique}`);
    const descriptor = openSync(path, 'a');
    this.#event({ fileVersion: 'brain.Event:2' }, path, descriptor);
    this.#event({ step, sessionLog: { status: SESSION_START } }, path, descriptor);
    return [path, descriptor];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#descriptor);
  }

  #event(fields: Record<string, unknown>, path = this.#path, descriptor = this.#descriptor): void {
    const event = Event.encode(Event.create({ wallTime: this.#now() / 1000, ...fields })).finish();
    const record = frameRecord(event);
    try {
      for (let done = 0; done < record.length; ) done += writeSync(descriptor, record, done);
    } catch (error) {
      throw writeFailure(error, path);
    }
  }
}

/** Readers take the files in the order of their names, so a new one's time must be behind all that are there. */
function newestSeconds(folder: string): number {
  const times = readdirSync(folder).flatMap((name) =>
    name.startsWith(PREFIX) ? [Number(name.slice(PREFIX.length).split('.')[0])] : [],
  );
  return Math.max(0, ...times.filter(Number.isSafeInteger));
}

/** The TFRecord around `data`. */
function frameRecord(data: Uint8Array): Buffer {
  const record = Buffer.alloc(12 + data.length + 4);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(data, 12);
  record.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return record;
}

/** Tags are grouped by their first part in TensorBoard's page. */
function scalars(record: MetricsRecord): [tag: string, value: number][] {
  const byLoop = (group: string, values: readonly number[] = []): [string, number][] =>
    values.map((value, index) => [`${group}/loop ${index + 1}`, value]);
  const single: [string, number | undefined][] = [
    ['loss/total', record.loss],
    ...Object.entries(record.parts).map(([part, value]): [string, number] => [`loss/${part}`, value]),
    ['optimizer/gradient norm', record.gradientNorm],
    ['optimizer/learning rate', record.learningRate],
    ['optimizer/skipped', record.skipped ? 1 : 0],
    ['exit/mean loops', record.meanLoops],
    ['exit/entropy', record.exitEntropy],
    ['teacher/KL', record.klTeacher],
    ['advantage/spread', record.advantageSpread],
    ['advantage/no-spread share', record.noSpreadShare],
    ['speed/tokens per second', record.tokensPerSecond],
    ['speed/tokens', record.tokens],
    ['memory/bytes', record.memoryBytes],
    ...byLoop('reward', record.rewardByLoop),
    ...byLoop('exit share', record.exitHistogram),
  ];
  return single.filter((entry): entry is [string, number] => entry[1] !== undefined);
}
