/** What a run is doing, and how long it is to: from its lock, its configuration and how far it is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIG_FILE, parseJson } from '../../train/state/folder.js';
import { lockState } from '../../train/state/run-lock.js';

export type RunState = 'running' | 'finished' | 'stopped';

/** Another machine's run that has written nothing for so long is taken for stopped. */
const SILENCE_MS = 120_000;
export interface RunPlan {
  /** Steps that it was started for; null where the configuration does not say. */
  steps: number | null;
  /** The model that it began from; null from scratch. */
  from: string | null;
  /** What the objective is called. */
  objective: string | null;
}

/** From `config.json`, which a foreign folder may have too, with anything in it. */
export function planOf(folder: string): RunPlan {
  const config = jsonIn(join(folder, CONFIG_FILE));
  const { steps } = config;
  return {
    steps: typeof steps === 'number' && Number.isSafeInteger(steps) && steps > 0 ? steps : null,
    from: stringIn(config.model, 'from'),
    objective: stringIn(config.objective, 'kind'),
  };
}

/** @param changed when its metrics were last written, ms since 1970 */
export function stateOf(folder: string, at: { step: number; steps: number | null; changed: number }): RunState {
  const lock = safely(() => lockState(folder), 'free' as const);
  if (lock === 'held' || (lock === 'elsewhere' && Date.now() - at.changed < SILENCE_MS)) return 'running';
  return at.steps !== null && at.step >= at.steps ? 'finished' : 'stopped';
}

function jsonIn(path: string): Readonly<Record<string, unknown>> {
  const value = safely(() => parseJson(readFileSync(path, 'utf8')), null);
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function stringIn(value: unknown, key: string): string | null {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : null;
  return typeof found === 'string' ? found : null;
}

/** A file that comes and goes while it is looked at is no error here. */
function safely<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
