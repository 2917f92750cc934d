/**
 * From settings as a person writes them to a run's resolved configuration.
 *
 * Order, the later winning: what the schema has by default, what this machine has (threads, device), on resume what the run had,
 * the preset that the settings name, the settings. Nothing here loads the engine before the number of threads is known.
 */
import { existsSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { prepareEngine } from '../base/prepare-engine.js';
import type { Settings } from '../base/settings/assign.js';
import { explainConfigError } from '../base/settings/config-error.js';
import { readSettings } from '../base/settings/config-file.js';
import { defaultThreads, prepareThreads } from '../base/threads.js';
import { UserError } from '../base/user-error.js';
import { expandPreset } from './expand-preset.js';
import type { RunConfig } from './run-config.js';
import { isRunFolder, modelFolder } from './state/model-folder.js';

export interface ResolveOptions {
  /** Where the settings are from, in front of what is wrong with them. */
  where: string;
  /** To go on with the run in the settings' `out`. */
  resume?: boolean | undefined;
  /** For a run that is not started here: its device need not be there. */
  elsewhere?: boolean | undefined;
  onMessage: (line: string) => void;
}

export interface ResolvedRun {
  config: RunConfig;
  /** Several processes decide together what `auto` is, once they have met (distributed/agreed-dtype.ts); `config` does not know it yet. */
  dtypeIsOpen: boolean;
}

/** @param given changed in no way @throws UserError naming the key */
export async function resolveRun(given: Readonly<Settings>, options: ResolveOptions): Promise<ResolvedRun> {
  const { where, resume = false, elsewhere = false, onMessage } = options;
  const settings: Settings = { ...given };
  expandPreset(settings, where);
  const stored = resume ? storedSettings(settings.out) : null;
  settings.threads ??= stored?.threads ?? defaultThreads(process.env);
  if (Number.isInteger(settings.threads) && Number(settings.threads) >= 1)
    prepareThreads(process.env, Number(settings.threads));
  settings.device ??= stored?.device;
  const device = deviceText(settings.device);
  settings.device = elsewhere && device !== undefined ? device : await prepareEngine({ device });
  settings.dtype ??= stored?.dtype;
  const config = await parsed(settings, where);
  const model = await withFolder(config.model, stored, onMessage);
  const { AUTO_DTYPE } = await import('./run-config.js');
  const resolved = { ...config, model };
  if ((settings.dtype ?? AUTO_DTYPE) !== AUTO_DTYPE) return { config: resolved, dtypeIsOpen: false };
  const { placeInEnvironment } = await import('./distributed/environment.js');
  if (!elsewhere && placeInEnvironment(process.env) !== null) return { config: resolved, dtypeIsOpen: true };
  return { config: await decided(resolved, settings.dtype !== undefined, onMessage), dtypeIsOpen: false };
}

/** With the dtype that `auto` becomes here; said where it was asked for, or is not what it always was. */
async function decided(config: RunConfig, asked: boolean, onMessage: (line: string) => void): Promise<RunConfig> {
  const { modelSource } = await import('./student.js');
  const { chooseDType } = await import('./auto-dtype.js');
  const { config: model } = await modelSource(config, { weights: false });
  const { device, threads } = config;
  const { dtype, why, measured } = chooseDType({ model, device, threads });
  if (asked || measured || dtype !== 'float32') onMessage(`dtype ${dtype}: ${why}`);
  return { ...config, dtype };
}

function storedSettings(out: unknown): Settings | null {
  if (typeof out !== 'string') return null;
  const path = join(out, 'config.json');
  return existsSync(path) ? readSettings(path) : null;
}

function deviceText(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^(cpu|cuda(:\d+)?)$/.test(value)) return value;
  throw new UserError(`device: ${JSON.stringify(value)} is none of cpu, cuda, cuda:N`);
}

async function parsed(settings: Settings, where: string): Promise<RunConfig> {
  const { runConfigSchema } = await import('./run-config.js');
  const checked = runConfigSchema.safeParse(settings);
  if (checked.success) return checked.data;
  throw new UserError(`${where}: ${explainConfigError(runConfigSchema, settings, checked.error)}`);
}

/** A run folder as `model.from` becomes its newest checkpoint; a resumed run keeps the one that it started from. */
async function withFolder(
  model: RunConfig['model'],
  stored: Settings | null,
  onMessage: (line: string) => void,
): Promise<RunConfig['model']> {
  if (!('from' in model) || !isRunFolder(model.from)) return model;
  const before = (stored?.model as { from?: unknown } | undefined)?.from;
  if (typeof before === 'string' && isInside(model.from, before)) return { from: before };
  return { from: await modelFolder(model.from, onMessage) };
}

function isInside(folder: string, path: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way !== '' && !way.startsWith(`..${sep}`) && way !== '..';
}
