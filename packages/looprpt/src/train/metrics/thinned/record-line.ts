/** A line of `metrics.jsonl` as far as the studio needs it: an object with a step. Not checked further, because it is only shown. */

export type LooseRecord = Readonly<Record<string, unknown>> & { step: number };

/** Null where the line is no record. */
export function parseLine(line: string): LooseRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  const isRecord = typeof value === 'object' && value !== null && 'step' in value && Number.isSafeInteger(value.step);
  return isRecord ? (value as LooseRecord) : null;
}

/** A number of a record; null where there is none. */
export function numberOf(record: LooseRecord | null, key: string): number | null {
  const value = record?.[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
