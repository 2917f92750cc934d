/** `eval` on text: token tables of a model and of its reference over the same batches, and what follows from them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/user-error.js';
import { pairedBootstrap } from '../eval/bootstrap.js';
import { difficultyOf, splitByDifficulty } from '../eval/buckets.js';
import { evaluate } from '../eval/evaluate.js';
import type { ComparisonResult, EvalResult } from '../eval/result.js';
import { tableFromModel } from '../eval/table-from-model.js';
import type { TokenTable } from '../eval/token-table.js';
import type { LoopLMConfig } from '../model/config.js';
import { Tokenizer } from '../text/tokenizer.js';
import { isRunFolder, modelFolder } from '../train/state/model-folder.js';
import { type OpenOptions, openModel } from '../train/state/open-model.js';
import { type EvalData, type EvalDataOptions, evalData } from './eval-data.js';

export interface EvaluationOptions extends EvalDataOptions, OpenOptions {
  model: string;
  /** The model whose entropies make the buckets; default: what a run started from, else the model itself. */
  reference?: string | undefined;
  thresholds?: number[] | undefined;
  buckets?: [number, number] | undefined;
  /** Adds paired bootstrap intervals of model − reference. */
  compare: boolean;
  onProgress: (model: string, tokens: number) => void;
}

/** What `eval --json` prints. */
export type Evaluation = EvalResult & { comparisons?: ComparisonResult[] };

interface Tabled {
  table: TokenTable;
  config: LoopLMConfig;
  seconds: number;
}

export async function evaluateText(options: EvaluationOptions): Promise<Evaluation> {
  const { model: name, say } = options;
  const tokenizer = await Tokenizer.load(await modelFolder(name, say));
  const data = await evalData(options, tokenizer);
  const reference = referenceOf(options);
  const own = reference === null || reference === name;
  if (own && options.compare) throw new UserError('--compare needs --reference MODEL to compare with');
  const base = own ? null : await referenceTable(reference, tokenizer, data, options);
  const { table, config, seconds } = await tabled(name, data, options);
  if (base && base.table.loops !== table.loops && options.compare)
    throw new UserError(`--compare: ${name} has ${table.loops} loops, ${reference} has ${base.table.loops}`);
  const entropy = difficultyOf(base?.table ?? table);
  const result = evaluate(table, {
    model: name,
    data: options.data,
    config,
    reference: { name: reference ?? name, entropy },
    thresholds: options.buckets,
    taus: options.thresholds,
    seconds,
  });
  if (!base || !options.compare) return result;
  return {
    ...result,
    comparisons: compared({ name, table }, { name: reference!, table: base.table }, result, entropy),
  };
}

/** All tokens, and the hard ones alone. */
function compared(
  a: { name: string; table: TokenTable },
  b: { name: string; table: TokenTable },
  { thresholds }: EvalResult,
  entropy: Float32Array,
): ComparisonResult[] {
  const hard = (table: TokenTable): TokenTable => splitByDifficulty(table, entropy, thresholds).hard;
  const hardOnes = { a: { ...a, table: hard(a.table) }, b: { ...b, table: hard(b.table) } };
  const enough = new Set(hardOnes.a.table.sequence).size >= 2;
  return [...pairedBootstrap(a, b), ...(enough ? pairedBootstrap(hardOnes.a, hardOnes.b, { suffix: ' (hard)' }) : [])];
}

/** The model that a training run started from is what its difficulty is judged by. */
function referenceOf({ model, reference, say }: EvaluationOptions): string | null {
  if (reference !== undefined) return reference;
  if (!isRunFolder(model)) return null;
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')) as { model?: { from?: unknown } };
  const from = config.model?.from;
  if (typeof from !== 'string') return null;
  say(`difficulty by ${from}, from which ${model} was trained (--reference takes another model)`);
  return from;
}

async function referenceTable(
  name: string,
  tokenizer: Tokenizer,
  data: EvalData,
  options: EvaluationOptions,
): Promise<Tabled> {
  const other = await Tokenizer.load(await modelFolder(name, options.say));
  if (other.hash !== tokenizer.hash)
    throw new UserError(`${name}: has another tokenizer than ${options.model}, so it cannot judge the same tokens`);
  return tabled(name, data, options);
}

/** One model is in memory at a time. */
async function tabled(name: string, data: EvalData, options: EvaluationOptions): Promise<Tabled> {
  const { maxTokens, onProgress } = options;
  using opened = await openModel(name, options);
  const started = performance.now();
  const table = await tableFromModel(opened.model, data(), {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    onProgress: (tokens) => onProgress(name, tokens),
  });
  return { table, config: opened.model.config, seconds: (performance.now() - started) / 1000 };
}
