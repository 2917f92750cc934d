/** The work of `looprpt blend`: a finished run's interpolation weight, chosen on tuning text and written. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareEngine } from '../base/prepare-engine.js';
import { type Cli, sayer } from '../base/terminal/cli.js';
import { renderTable } from '../base/terminal/table.js';
import { tally } from '../base/terminal/tally.js';
import { UserError } from '../base/user-error.js';
import { loadModel } from '../checkpoint/load-model.js';
import type { PackedBatch } from '../data/loader/batch.js';
import { type BlendTrial, bestShare, SHARES, searchBlend } from '../eval/blend-search.js';
import { heldOutBatches } from '../eval/data.js';
import { withTaskSettings } from '../eval/judged-task.js';
import { percent } from '../eval/report/format.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { run } from '../train/run.js';
import { type RunConfig, runConfigSchema } from '../train/run-config.js';
import { CONFIG_FILE } from '../train/state/folder.js';
import { isRunFolder } from '../train/state/model-folder.js';
import { newestWholeCheckpoint } from '../train/state/run-state.js';
import { modelSource } from '../train/student.js';
import type { CommonOptions } from './command.js';
import { type DataOptions, heldOutOf } from './held-out.js';

export interface BlendOptions extends DataOptions, Omit<CommonOptions, 'seed' | 'json'> {
  shares?: readonly number[] | undefined;
  maxTokens?: number;
}

export interface BlendOutcome {
  /** In the order in which they were tried. */
  trials: readonly BlendTrial[];
  /** The share that was kept. */
  share: number;
  /** The folder that the run stands for as a model from now on. */
  model: string;
}

/** @throws UserError when the run has not ended or began from scratch, or the text is not for its tokenizer */
export async function blendRun(cli: Cli, folder: string, options: BlendOptions): Promise<BlendOutcome> {
  const say = sayer(cli, options);
  const { config, last } = await finishedRun(folder, say);
  const device = await prepareEngine({ device: options.device ?? 'cpu', threads: options.threads });
  const source = await modelSource({ ...config, device, blend: 0 });
  const batches = await tuningBatches(folder, source.tokenizer, options, say);
  const counter = tally('tried', { stream: cli.stderr, quiet: options.quiet ?? false });
  const trained = loadModel(last, { dtype: config.dtype, device });
  const shown = ({ share, area }: BlendTrial): string => `share ${share}, frontier ${percent(area, 2)}`;
  let trials: BlendTrial[];
  try {
    const onTrial = (trial: BlendTrial): void => counter.update(shown(trial));
    trials = await searchBlend({ open: source.open, trained, batches, shares: options.shares ?? SHARES, onTrial });
  } finally {
    trained.dispose();
  }
  counter.done(shown(trials.at(-1)!));
  const share = bestShare(trials);
  // No step is left to make: the run only writes the model that it stands for.
  const { model } = await run({ ...config, blend: share }, true, { onMessage: say });
  return { trials, share, model };
}

export function blendText({ trials, share, model }: BlendOutcome, color: boolean): string {
  const rows = trials.map((trial) => [
    String(trial.share),
    percent(trial.area, 2),
    trial.share === share ? 'kept' : '',
  ]);
  const table = renderTable(['share of the way', 'frontier, %', ''], rows, { color });
  const harm = 'the start predicts this text better than any share of the training does: the run did harm here';
  return `${table}\n\n${share === 0 ? `${harm}; ` : ''}${model}: share ${share}`;
}

async function finishedRun(folder: string, say: (line: string) => void): Promise<{ config: RunConfig; last: string }> {
  if (!isRunFolder(folder)) throw new UserError(`${folder}: is no folder of a run`);
  const file = join(folder, CONFIG_FILE);
  const stored = runConfigSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!stored.success) throw new UserError(`${file}: not the configuration of a run`);
  const config = { ...stored.data, out: folder };
  if (!('from' in config.model))
    throw new UserError(`${folder}: the run began from scratch, so there is no start to interpolate towards`);
  const newest = await newestWholeCheckpoint(folder, say);
  if (newest === null || newest.step < config.steps)
    throw new UserError(
      `${folder}: the run has made ${newest?.step ?? 0} of ${config.steps} steps; let it end first, with --resume`,
    );
  return { config, last: newest.path };
}

async function tuningBatches(
  folder: string,
  tokenizer: Tokenizer,
  options: BlendOptions,
  say: (line: string) => void,
): Promise<PackedBatch[]> {
  const { maxTokens } = options;
  const asked = heldOutOf(options);
  const data = typeof asked === 'object' && 'task' in asked ? { ...asked, split: 'tune' as const } : asked;
  const { known } = await withTaskSettings(data, folder, say);
  const { batches, leftOut } = await heldOutBatches(known, tokenizer, maxTokens === undefined ? {} : { maxTokens });
  for (const line of leftOut) say(line);
  const kept: PackedBatch[] = [];
  for await (const batch of batches()) kept.push(batch);
  return kept;
}
