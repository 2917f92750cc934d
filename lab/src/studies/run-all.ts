/** Runs the units of a phase that are not done yet: each once, a base before its arms, with one bar over all of them. */
import { progress } from 'looprpt/internal/base/terminal/progress.js';
import type { RunUnit } from './run-unit.js';
import type { Store } from './store.js';
import { keyOf, type Unit } from './unit.js';

export interface RunAllOptions {
  store: Store;
  run: RunUnit;
  quiet: boolean;
  /** Of a unit: what its share of the bar is. */
  flops: (unit: Unit) => number;
}

/** @returns how many units were run; the others were done already */
export async function runAll(
  title: string,
  units: readonly Unit[],
  { store, run, quiet, flops }: RunAllOptions,
): Promise<number> {
  const missing = new Map(units.map((unit) => [keyOf(unit), unit] as const).filter(([key]) => !store.has(key)));
  if (missing.size === 0) return 0;
  const giga = (unit: Unit): number => flops(unit) / 1e9;
  const total = Array.from(missing.values(), giga).reduce((sum, work) => sum + work, 0);
  using bar = progress(`${title}, GFLOP`, Math.max(1, Math.round(total)), { quiet });
  const shares = new Map<string, number>();
  let finished = 0;
  const show = (key: string, work: number): void => {
    shares.set(key, work);
    const done = Array.from(shares.values()).reduce((sum, share) => sum + share, 0);
    bar.update(Math.round(done), `${finished} of ${missing.size} runs done`);
  };
  const one = async (key: string, unit: Unit): Promise<void> => {
    await run(unit, (share) => show(key, share * giga(unit)));
    finished++;
    show(key, giga(unit));
  };
  const bases = new Map<string, Promise<void>>();
  for (const [key, unit] of missing) if (unit.kind === 'base') bases.set(key, one(key, unit));
  const arms = Array.from(missing, async ([key, unit]) => {
    if (unit.kind === 'base') return;
    if ('key' in unit.base) await bases.get(unit.base.key);
    await one(key, unit);
  });
  await Promise.all([...bases.values(), ...arms]);
  return missing.size;
}
