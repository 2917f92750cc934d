/**
 * What TensorBoard would show of a run's event files: read in the order of their names, and a session's start makes it forget the
 * steps from there on. Checksums are checked; a record that a kill cut off at the end of a file is left out.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { maskedCrc32c } from 'looprpt/internal/train/metrics/crc32c.js';
import { Event } from 'looprpt/internal/train/metrics/event-schema.js';
import { z } from 'zod';

const eventSchema = z.object({
  step: z.coerce.number().default(0),
  sessionLog: z.object({ status: z.number() }).optional(),
  summary: z
    .object({ value: z.array(z.object({ tag: z.string(), simpleValue: z.union([z.number(), z.nan()]) })) })
    .optional(),
});
type FoundEvent = z.output<typeof eventSchema>;

/** One step as the page shows it. */
export interface ShownStep {
  step: number;
  values: Record<string, number>;
}

export function shownSteps(runFolder: string): ShownStep[] {
  let shown: ShownStep[] = [];
  const files = readdirSync(runFolder).filter((name) => name.startsWith('events.out.tfevents.'));
  for (const { step, sessionLog, summary } of files.sort().flatMap((name) => events(join(runFolder, name)))) {
    if (sessionLog) shown = shown.filter((earlier) => earlier.step < step);
    if (summary)
      shown.push({ step, values: Object.fromEntries(summary.value.map(({ tag, simpleValue }) => [tag, simpleValue])) });
  }
  return shown;
}

/** Every step that the files hold, in their order, as readers find them that know nothing of sessions. */
export function heldSteps(runFolder: string): number[] {
  const files = readdirSync(runFolder).filter((name) => name.startsWith('events.out.tfevents.'));
  const all = files.sort().flatMap((name) => events(join(runFolder, name)));
  return all.filter(({ summary }) => summary !== undefined).map(({ step }) => step);
}

function events(path: string): FoundEvent[] {
  const file = readFileSync(path);
  const found: FoundEvent[] = [];
  for (let at = 0; at + 16 <= file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    const data = file.subarray(at + 12, at + 12 + length);
    if (at + 16 + length > file.length) break;
    assert.equal(file.readUInt32LE(at + 8), maskedCrc32c(file.subarray(at, at + 8)), `${path}: length at ${at}`);
    assert.equal(file.readUInt32LE(at + 12 + length), maskedCrc32c(data), `${path}: data at ${at}`);
    found.push(eventSchema.parse(Event.toObject(Event.decode(data), { longs: Number })));
    at += 16 + length;
  }
  return found;
}
