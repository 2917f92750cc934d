/**
 * From the command line of `pretrain` and `train` to a run's resolved configuration.
 *
 * Order, the later winning: what the schema has by default, what this machine has (threads, device), on `--resume` what
 * the run had, the preset that the file names, the file, `--set`, the options.
 */
import { existsSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { prepareEngine } from '../base/prepare-engine.js';
import type { Settings } from '../base/settings/assign.js';
import { explainConfigError } from '../base/settings/config-error.js';
import { readSettings } from '../base/settings/config-file.js';
import { defaultThreads, prepareThreads } from '../base/threads.js';
import { UserError } from '../base/user-error.js';
import type { RunConfig } from '../train/run-config.js';
import { isRunFolder, modelFolder } from '../train/state/model-folder.js';
import type { CommonOptions } from './command.js';
import { expandPreset } from './preset.js';

export type TrainingKind = 'pretrain' | 'train';

export interface TrainingOptions extends CommonOptions {
  config?: string;
  set?: string[];
  out?: string;
  resume?: true;
  dryRun?: true;
}

/** The configuration, checked, with the engine ready for it. @throws UserError naming file and key */
export async function trainingConfig(
  kind: TrainingKind,
  options: TrainingOptions,
  say: (line: string) => void,
): Promise<RunConfig> {
  const file = configFile(kind, options);
  const settings = readSettings(file, options.set);
  expandPreset(settings, file);
  for (const key of ['out', 'seed', 'device', 'dtype', 'threads'] as const)
    if (options[key] !== undefined) settings[key] = options[key];
  const stored = options.resume ? storedSettings(settings.out) : null;
  settings.threads ??= stored?.threads ?? defaultThreads(process.env);
  if (Number.isInteger(settings.threads) && Number(settings.threads) >= 1)
    prepareThreads(process.env, Number(settings.threads));
  settings.device ??= stored?.device;
  const device = deviceText(settings.device);
  // A plan is made for a device that may be elsewhere.
  settings.device = options.dryRun && device !== undefined ? device : await prepareEngine({ device });
  const config = await parse(file, options, settings);
  checkPurpose(kind, file, config);
  return { ...config, model: await withFolder(config.model, stored, say) };
}

/** `--resume --out RUN` alone goes on with the configuration that lies in the run folder. */
function configFile(kind: TrainingKind, { config, out, resume }: TrainingOptions): string {
  if (config !== undefined) return config;
  if (!resume || out === undefined)
    throw new UserError(`${kind} needs --config FILE (see recipes/), or --resume with --out RUN to go on with a run`);
  const stored = join(out, 'config.json');
  if (!existsSync(stored)) throw new UserError(`${out}: no run to resume here; give --config FILE to start one`);
  return stored;
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

async function parse(file: string, { set = [] }: TrainingOptions, settings: Settings): Promise<RunConfig> {
  const { runConfigSchema } = await import('../train/run-config.js');
  const parsed = runConfigSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const where = set.length > 0 ? `${file} with --set` : file;
  throw new UserError(`${where}: ${explainConfigError(runConfigSchema, settings, parsed.error)}`);
}

/** `pretrain` makes base models, `train` improves one that is there. */
function checkPurpose(kind: TrainingKind, file: string, { model, objective }: RunConfig): void {
  const fail = (message: string): never => {
    throw new UserError(`${file}: ${message}`);
  };
  if (kind === 'train') {
    if (!('from' in model))
      fail('model.architecture: train improves a model that is there: give model.from; `looprpt pretrain` makes one');
    return;
  }
  if (objective.kind === 'looprpt' || objective.kind === 'hard-token-ce')
    fail(
      `objective.kind: ${objective.kind} improves a model that is there: use \`looprpt train\`; pretrain takes stage1, uniform-ce or gate`,
    );
  if (objective.kind === 'gate' && !('from' in model))
    fail(
      'objective.kind: gate (stage II) trains the gate of a model that is there: give model.from instead of model.architecture',
    );
}

/** A run folder as `model.from` becomes its newest checkpoint; a resumed run keeps the one that it started from. */
async function withFolder(
  model: RunConfig['model'],
  stored: Settings | null,
  say: (line: string) => void,
): Promise<RunConfig['model']> {
  if (!('from' in model) || !isRunFolder(model.from)) return model;
  const before = (stored?.model as { from?: unknown } | undefined)?.from;
  if (typeof before === 'string' && isInside(model.from, before)) return { from: before };
  return { from: await modelFolder(model.from, say) };
}

function isInside(folder: string, path: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way !== '' && !way.startsWith(`..${sep}`) && way !== '..';
}
