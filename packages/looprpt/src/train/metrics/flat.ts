/**
 * A step's record as names and numbers, the way dashboards and files of columns want it: `loss`, `parts.crossEntropy`,
 * `exitHistogram.1` … `exitHistogram.K`. What was not measured, and what is not finite, is left out.
 */
import type { MetricsRecord } from './record.js';

/** What a record says that is no measurement. */
const NOT_MEASURED: ReadonlySet<string> = new Set(['step', 'skipped', 'warnings']);

/** Every finite number of a record, in its own order; arrays by loop count from 1. Takes what is no record of ours as far as it goes. */
export function eachNumber(
  record: Readonly<Record<string, unknown>>,
  take: (name: string, value: number) => void,
): void {
  for (const key in record) {
    if (NOT_MEASURED.has(key)) continue;
    const value = record[key];
    if (typeof value === 'number') takeFinite(key, value, take);
    else if (Array.isArray(value)) {
      const names = namesByLoop(key, value.length);
      for (let k = 0; k < value.length; k++) takeFinite(names[k]!, value[k], take);
    } else if (typeof value === 'object' && value !== null)
      for (const part in value) takeFinite(`${key}.${part}`, value[part as keyof typeof value], take);
  }
}

/** Names that are made once: a long run has them in every line. Of few keys and loops, whatever a foreign file holds. */
const madeNames = new Map<string, readonly string[]>();
const MOST_MADE = 16;
const MOST_LOOPS = 64;

function namesByLoop(key: string, loops: number): readonly string[] {
  const known = madeNames.get(key);
  if (known && known.length >= loops) return known;
  const names = Array.from({ length: Math.max(loops, 4) }, (_, k) => `${key}.${k + 1}`);
  if (loops <= MOST_LOOPS && (known || madeNames.size < MOST_MADE)) madeNames.set(key, names);
  return names;
}

/** The measurements of one step under flat names, for a logger of a dashboard: `{ loss: 3.2, 'parts.crossEntropy': 3.1, … }`. */
export function flatMetrics(record: MetricsRecord): Record<string, number> {
  const flat: Record<string, number> = {};
  eachNumber(record, (name, value) => {
    flat[name] = value;
  });
  return flat;
}

function takeFinite(name: string, value: unknown, take: (name: string, value: number) => void): void {
  if (typeof value === 'number' && Number.isFinite(value)) take(name, value);
}
