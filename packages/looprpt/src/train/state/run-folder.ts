/** A run's folder: whether this run is there already, and the making of it. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UserError } from '../../base/user-error.js';
import { differingPaths, flatConfig, shownValue } from '../flat-config.js';
import { type RunConfig, runConfigSchema } from '../run-config.js';
import { CONFIG_FILE, parseJson } from './folder.js';

/** Whether a run that is there is gone on with; `longer`: to more steps than it was started for. */
export type Resume = boolean | 'longer';

/**
 * Whether a run is there already.
 * @throws UserError when it may not be continued, or is another one than `config` describes
 */
export function holdsRun(config: RunConfig, resume: Resume): boolean {
  const file = join(config.out, CONFIG_FILE);
  if (!existsSync(file)) return false;
  if (!resume)
    throw new UserError(`${config.out}: holds a run already; --resume continues it, or give another folder with out=`);
  const stored = runConfigSchema.safeParse(parseJson(readFileSync(file, 'utf8')));
  if (!stored.success) throw new UserError(`${file}: not the configuration of a run`);
  const [had, asked] = [stored.data.steps, config.steps];
  if (resume === 'longer' && asked <= had)
    throw new UserError(
      `${config.out}: the run there is of ${had} steps already; --extend takes a larger number than that`,
    );
  const changed = differingKeys(stored.data, config).filter((key) => !(key === 'steps' && resume === 'longer'));
  if (changed.length === 1 && changed[0] === 'steps')
    throw new UserError(
      `${config.out}: the run there is of ${had} steps, not ${asked}; --resume alone goes on to them, --resume --extend N to more`,
    );
  if (changed.length > 0)
    throw new UserError(
      `${config.out}: the run there is another one (${changes(stored.data, config, changed)}); resume with the same configuration, or give another folder with out=`,
    );
  return true;
}

/** The configuration's file makes a folder a run. */
export function writeRunConfig(config: RunConfig): void {
  const partial = join(config.out, `.${CONFIG_FILE}.partial`);
  writeFileSync(partial, `${JSON.stringify(config, null, 2)}\n`, { flush: true });
  renameSync(partial, join(config.out, CONFIG_FILE));
}

export function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true });
}

/** What may change in a run that goes on: where it lies, what it keeps and ends in, how it is spread, and what it does about trouble. */
const FREE = new Set(['out', 'blend', 'checkpoint', 'tensorboard', 'nonFinite', 'distributed']);

/** Top-level settings that decide what is computed and differ. */
function differingKeys(a: RunConfig, b: RunConfig): string[] {
  return Object.keys(b).filter(
    (key) => !FREE.has(key) && !isDeepStrictEqual(a[key as keyof RunConfig], b[key as keyof RunConfig]),
  );
}

/** Where they differ, with both values; the first three. */
function changes(stored: RunConfig, asked: RunConfig, keys: readonly string[]): string {
  const [there, here] = [stored, asked].map((config) =>
    flatConfig(Object.fromEntries(Object.entries(config).filter(([key]) => keys.includes(key)))),
  ) as [Record<string, string>, Record<string, string>];
  const paths = differingPaths(there, here);
  const named = paths
    .slice(0, 3)
    .map((key) => `${key}: ${shownValue(there[key])} there, ${shownValue(here[key])} here`);
  return [...named, ...(paths.length > 3 ? [`${paths.length - 3} more`] : [])].join('; ');
}
