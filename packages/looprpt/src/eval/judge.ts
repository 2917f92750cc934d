/**
 * A model judged on held-out text: next-token accuracy and cross-entropy after every loop, under every exit rule, by difficulty,
 * and by intervals against another model. What `looprpt eval` prints.
 *
 * One model is in memory at a time, besides one that the caller opened.
 */
import { prepareEngine } from '../base/prepare-engine.js';
import { UserError } from '../base/user-error.js';
import { Tokenizer } from '../text/tokenizer.js';
import { modelFolder, startOfRun } from '../train/state/model-folder.js';
import { type Model, type OpenOptions, openModel } from '../train/state/open-model.js';
import { type PlannedModel, planModel } from '../train/state/planned-model.js';
import { type HeldOut, type HeldOutBatches, type HeldOutOptions, heldOutBatches, heldOutName } from './data.js';
import { assertEvaluationFits } from './evaluation-memory.js';
import { noteOtherSettings, withTaskSettings } from './judged-task.js';
import type { ComparisonResult, EvalResult } from './result.js';
import { tableFromModel } from './table-from-model.js';
import { type Tabled, TableJudge } from './table-judge.js';

/** How `judge` judges: the data, what to compare with, and how models are opened. */
export interface JudgeOptions extends HeldOutOptions, OpenOptions {
  data: HeldOut;
  /** What results call the data; default: as it was named. */
  dataName?: string | undefined;
  /** Another model on the same tokens: adds paired bootstrap intervals of the model minus that one. */
  compareWith?: string | undefined;
  /** The model whose entropies tell easy from hard; default: `compareWith`, else what a run started from, else the model itself. */
  reference?: string | undefined;
  /** Entropies in nats at which easy and medium end; default: thirds of the tokens. */
  buckets?: [number, number] | undefined;
  /** Exit thresholds τ; default 0.1 to 1. */
  thresholds?: readonly number[] | undefined;
  /** Told after every batch how many tokens of which model are done. */
  onProgress?: (model: string, tokens: number) => void;
}

/** Scores of a model; accuracies are fractions, entropies in nats, FLOPs per token. */
export type Judgement = EvalResult & { comparisons?: ComparisonResult[] };

/**
 * Judges a model by its next-token predictions on held-out text.
 * @param model an open model, a model folder, a Hub id or a run folder
 * @throws UserError when a model or the data cannot be read, or two models cannot be compared
 * @example
 * const { adaptive } = await judge('runs/rpt', { data: 'heldout.jsonl', compareWith: 'runs/base' });
 */
export async function judge(model: string | Model, options: JudgeOptions): Promise<Judgement> {
  const { data, dataName = heldOutName(data), compareWith, onMessage = () => {} } = options;
  await prepareEngine(options);
  const setting: Setting = { ...options, onMessage };
  const own = typeof model === 'string' ? model : model.name;
  const tokenizer = await tokenizerOf(model, setting);
  const { known, task } = await withTaskSettings(data, model, onMessage);
  const heldOut = await heldOutBatches(known, tokenizer, options);
  for (const line of heldOut.leftOut) onMessage(line);
  const reference = referenceOf(own, options);
  if (reference !== own && options.reference === undefined && compareWith === undefined)
    onMessage(`difficulty by ${reference}, from which ${own} was trained; another reference can be named`);
  const tables = new Map<string, Tabled>();
  for (const name of new Set([reference, compareWith ?? own])) {
    if (name === own) continue;
    await assertSameTokenizer(name, own, tokenizer, setting);
    await noteOtherSettings(task, name, onMessage);
    tables.set(name, await tabled(name, heldOut, setting));
  }
  const table = await tabled(model, heldOut, setting);
  tables.set(own, table);
  const other = compareWith === undefined ? undefined : tables.get(compareWith)!;
  if (other && other.table.loops !== table.table.loops)
    throw new UserError(
      `${own} has ${table.table.loops} loops, ${other.name} has ${other.table.loops}: not comparable`,
    );
  const { buckets, thresholds: taus } = options;
  const standard = new TableJudge(tables.get(reference)!, { data: dataName, buckets, taus });
  const result = { ...standard.evaluate(table), ...(task === null ? {} : { task }) };
  return other ? { ...result, comparisons: standard.compare(table, other) } : result;
}

/** The model whose entropies tell easy from hard. */
function referenceOf(own: string, { reference, compareWith }: Pick<JudgeOptions, 'reference' | 'compareWith'>): string {
  return reference ?? compareWith ?? startOfRun(own) ?? own;
}

/** What judging will take: each model that is opened, one after the other, and the batches that it will read. */
export interface JudgementPlan {
  models: PlannedModel[];
  shape: HeldOutBatches['shape'];
}

/** Reads the data and the headers of weights. @throws UserError as `judge`, but for what only weights can tell */
export async function planJudgement(name: string, options: JudgeOptions): Promise<JudgementPlan> {
  const { onMessage = () => {} } = options;
  const tokenizer = await tokenizerOf(name, { ...options, onMessage });
  const { known } = await withTaskSettings(options.data, name, onMessage);
  const { shape } = await heldOutBatches(known, tokenizer, options);
  const models: PlannedModel[] = [];
  for (const other of new Set([referenceOf(name, options), options.compareWith ?? name, name]))
    models.push(await planModel(other, options));
  return { models, shape };
}

type Setting = Omit<JudgeOptions, 'onMessage'> & { onMessage: (line: string) => void };

async function tokenizerOf(model: string | Model, { onMessage }: Setting): Promise<Tokenizer> {
  return Tokenizer.load(typeof model === 'string' ? await modelFolder(model, onMessage) : model.folder);
}

async function assertSameTokenizer(name: string, own: string, tokenizer: Tokenizer, setting: Setting): Promise<void> {
  if ((await tokenizerOf(name, setting)).hash !== tokenizer.hash)
    throw new UserError(`${name}: has another tokenizer than ${own}, so it cannot judge the same tokens`);
}

async function tabled(model: string | Model, heldOut: HeldOutBatches, setting: Setting): Promise<Tabled> {
  if (typeof model === 'string') {
    let beside = 0;
    using opened = await openModel(model, {
      ...setting,
      onPlan: (planned) => {
        beside = assertEvaluationFits(planned, heldOut.shape);
      },
      beside: () => beside,
    });
    return await tabled(opened, heldOut, setting);
  }
  const { maxTokens, onProgress } = setting;
  const { name, lm } = model;
  const started = performance.now();
  const table = await tableFromModel(lm, heldOut.batches(), {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    onProgress: (tokens) => onProgress?.(name, tokens),
  });
  return { name, table, config: lm.config, seconds: (performance.now() - started) / 1000 };
}
