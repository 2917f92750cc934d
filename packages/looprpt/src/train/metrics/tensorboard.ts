/**
 * TensorBoard event files: every number of a metrics record as a scalar.
 *
 * A file is a sequence of TFRecords (length, masked CRC-32C of the length, data, masked CRC-32C of the data), each an
 * `Event` protocol buffer; only the fields used here are declared. Every start of a run writes a file of its own, and
 * its `SessionLog.START` tells TensorBoard to forget what an earlier part logged from that step on, so a resumed run
 * shows no step twice.
 */
import { closeSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { writeFailure } from '../state/write-failure.js';
import { maskedCrc32c } from './crc32c.js';
import type { MetricsRecord, MetricsSink } from './record.js';

const Value = new protobuf.Type('Value')
  .add(new protobuf.Field('tag', 1, 'string'))
  .add(new protobuf.Field('simpleValue', 2, 'float'));
const Summary = new protobuf.Type('Summary').add(new protobuf.Field('value', 1, 'Value', 'repeated')).add(Value);
const SessionLog = new protobuf.Type('SessionLog').add(new protobuf.Field('status', 1, 'int32'));
/** Field names are camel case, as protobufjs has them. */
export const Event = new protobuf.Type('Event')
  .add(new protobuf.Field('wallTime', 1, 'double'))
  .add(new protobuf.Field('step', 2, 'int64'))
  .add(new protobuf.Field('fileVersion', 3, 'string'))
  .add(new protobuf.Field('summary', 5, 'Summary'))
  .add(new protobuf.Field('sessionLog', 7, 'SessionLog'));
new protobuf.Root().define('tensorflow').add(Summary).add(SessionLog).add(Event);

const SESSION_START = 1;

export interface TensorBoardOptions {
  /** The first step that this part of the run will log; 1 for a fresh run. */
  firstStep?: number;
  /** The clock, for wall times and the file's name. */
  now?: () => number;
}

export class TensorBoardLog implements MetricsSink {
  /** The event file's path. */
  readonly path: string;
  readonly #descriptor: number;
  readonly #now: () => number;
  #closed = false;

  /** Creates an event file in `folder`, which is created too if need be. */
  constructor(folder: string, options: TensorBoardOptions = {}) {
    mkdirSync(folder, { recursive: true });
    this.#now = options.now ?? Date.now;
    const milliseconds = this.#now();
    const seconds = Math.max(Math.floor(milliseconds / 1000), newestSeconds(folder) + 1);
    const unique = `${process.pid}.${Math.round(milliseconds % 1000)}`;
    this.path = join(folder, `${PREFIX}${seconds}.${hostname()}.${unique}`);
    this.#descriptor = openSync(this.path, 'a');
    this.#event({ fileVersion: 'brain.Event:2' });
    this.#start(options.firstStep ?? 1);
  }

  write(record: MetricsRecord): void {
    const value = scalars(record).map(([tag, simpleValue]) => ({ tag, simpleValue }));
    this.#event({ step: record.step, summary: { value } });
  }

  rewind(step: number): void {
    this.#start(step + 1);
  }

  #start(step: number): void {
    this.#event({ step, sessionLog: { status: SESSION_START } });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#descriptor);
  }

  #event(fields: Record<string, unknown>): void {
    const event = Event.encode(Event.create({ wallTime: this.#now() / 1000, ...fields })).finish();
    const record = frameRecord(event);
    try {
      for (let done = 0; done < record.length; ) done += writeSync(this.#descriptor, record, done);
    } catch (error) {
      throw writeFailure(error, this.path);
    }
  }
}

const PREFIX = 'events.out.tfevents.';

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
