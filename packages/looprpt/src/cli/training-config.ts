/** From the command line of `pretrain` and `train` to a run's resolved configuration: the file, over it `--set` and the options. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings } from '../base/settings/config-file.js';
import { UserError } from '../base/user-error.js';
import { type ResolvedRun, resolveRun } from '../train/resolve.js';
import type { RunConfig } from '../train/run-config.js';
import type { CommonOptions } from './command.js';

export type TrainingKind = 'pretrain' | 'train';

export interface TrainingOptions extends CommonOptions {
  config?: string;
  set?: string[];
  out?: string;
  resume?: true;
  extend?: number;
  dryRun?: true;
}

/** The configuration, checked, with the engine ready for it. @throws UserError naming file and key */
export async function trainingConfig(
  kind: TrainingKind,
  options: TrainingOptions,
  say: (line: string) => void,
): Promise<ResolvedRun> {
  const { set = [], resume, extend, dryRun } = options;
  if (extend !== undefined && !resume)
    throw new UserError('--extend makes a run longer that is there: give --resume too, or set steps in the recipe');
  const file = configFile(kind, options);
  const settings = readSettings(file, set);
  for (const key of ['out', 'seed', 'device', 'dtype', 'threads'] as const)
    if (options[key] !== undefined) settings[key] = options[key];
  if (extend !== undefined) settings.steps = extend;
  const where = set.length > 0 ? `${file} with --set` : file;
  const resolved = await resolveRun(settings, { where, resume, elsewhere: dryRun, onMessage: say });
  checkPurpose(kind, file, resolved.config);
  return resolved;
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
