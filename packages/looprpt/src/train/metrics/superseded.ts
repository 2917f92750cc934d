/**
 * Takes out of a run's event files what steps that are done anew have logged. TensorBoard forgets those by itself at a session's start;
 * readers of single files, tbparse for one, would show such a step twice.
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { maskedCrc32c } from './crc32c.js';
import { Event } from './event-schema.js';

export const PREFIX = 'events.out.tfevents.';

/** @param step the first that is done anew; files that are not event files throughout are left alone */
export function dropSuperseded(folder: string, step: number): void {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(folder, name);
    const file = readFileSync(path);
    const records = recordsOf(file);
    const kept = records?.filter((record) => record.step === null || record.step < step);
    if (!records || !kept || kept.length === records.length) continue;
    // Named so that no reader takes it for an event file.
    const partial = join(folder, `.shortened-${process.pid}.partial`);
    try {
      writeFileSync(partial, Buffer.concat(kept.map(({ start, end }) => file.subarray(start, end))), { flush: true });
      renameSync(partial, path);
    } finally {
      rmSync(partial, { force: true });
    }
  }
}

interface Place {
  start: number;
  end: number;
  /** Of scalars; null for what belongs to no step. */
  step: number | null;
}

/** Where the whole records of a file lie; null when it holds anything else than a last one cut off. */
function recordsOf(file: Buffer): Place[] | null {
  const places: Place[] = [];
  for (let start = 0; start + 12 <= file.length; ) {
    const length = Number(file.readBigUInt64LE(start));
    if (file.readUInt32LE(start + 8) !== maskedCrc32c(file.subarray(start, start + 8))) return null;
    const end = start + 16 + length;
    if (end > file.length) break;
    const data = file.subarray(start + 12, end - 4);
    if (file.readUInt32LE(end - 4) !== maskedCrc32c(data)) return null;
    const event = Event.toObject(Event.decode(data), { longs: Number }) as { step?: number; summary?: object };
    places.push({ start, end, step: event.summary ? (event.step ?? 0) : null });
    start = end;
  }
  return places;
}
