/**
 * The job on real text: token shards in two parts, a tokenizer and a base trained on the spot or a model that is given, and as many steps
 * of everything as the time allows. What is there already from an interrupted job is used.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formatDuration } from '../base/terminal/duration.js';
import { UserError } from '../base/user-error.js';
import { resolveModel } from '../checkpoint/hub.js';
import { readModelConfig } from '../checkpoint/load-model.js';
import type { Documents } from '../data/documents/document.js';
import { PARTS, type Part } from '../data/documents/hold-out.js';
import { prepareShards } from '../data/shards/prepare.js';
import { ShardSet } from '../data/shards/shard-set.js';
import { Tokenizer } from '../text/tokenizer.js';
import { trainTokenizer } from '../text/train-tokenizer.js';
import { METRICS_FILE, readMetrics } from '../train/metrics/metrics-log.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../train/run-config.js';
import { type Arm, armConfig, TEXT_ARMS } from './arms.js';
import { type Measured, SIZES, type Size } from './budget.js';
import { batchesOf, type Setting } from './setting.js';
import { settlePlan, type TextPlan, textPlan } from './text-plan.js';
import type { TextSource, TextTopic } from './text-source.js';

const SHAPE = { batchSize: 8, sequenceLength: 256, pack: 'greedy' } as const;
const BATCH = { rows: SHAPE.batchSize, sequenceLength: SHAPE.sequenceLength };
const TOKENS_PER_STEP = BATCH.rows * BATCH.sequenceLength;
const LOOPS = 4;
/** Of the held-out part, 61,440 places. */
const HELD_OUT_BATCHES = 30;
/** Of an arm, below which there is little to judge. */
const FEW_STEPS = 20;
/** Learning rates at hidden size 128; they go with the root of its inverse. */
const BASE_RATE = 3e-3;
const ARM_RATE = 3e-4;
/** Characters of a corpus up to which a vocabulary has this many entries. */
const VOCABULARIES = [
  [2e5, 512],
  [1e6, 1024],
  [1e7, 2048],
  [5e7, 4096],
  [Number.POSITIVE_INFINITY, 8192],
] as const;

export interface TextOptions {
  topic: TextTopic;
  /** A model to start from, instead of a base of its own: a folder, a run or a Hub id. */
  model?: string | undefined;
  minutes: number;
  /** When the job did, in milliseconds of `performance.now()`. */
  began: number;
  /** The topic's text, opened. */
  source: TextSource;
  /** The job's folder. */
  folder: string;
  threads: number;
  seed: number;
  signal: AbortSignal;
  say: (line: string) => void;
  /** Trains the base and returns its model folder; throws when interrupted. */
  train: (config: RunConfig) => Promise<string>;
}

/** @throws the signal's reason when the job was interrupted before the base was there */
export async function textSetting(options: TextOptions): Promise<Setting> {
  const { folder, say, source, began } = options;
  for (const remark of source.remarks) say(remark);
  const given = options.model === undefined ? null : await resolveModel(options.model);
  const tokenizerFrom = given ?? (await ownTokenizer(source, folder));
  const tokenizer = await Tokenizer.load(tokenizerFrom);
  await shardsOf(source, tokenizer, folder);
  const parts = Object.fromEntries(PARTS.map((part) => [part, ShardSet.open(shards(folder, part))])) as Record<
    Part,
    ShardSet
  >;
  const { train, heldout } = parts;
  if (train.manifest.counts.tokens < TOKENS_PER_STEP)
    throw new UserError(
      `${source.name}: ${train.manifest.counts.tokens} tokens are less than one step reads; give more text`,
    );
  const recipes = recipesOf(options, { given, tokenizerFrom });
  const measured: Measured = {
    seconds: 60 * options.minutes - (performance.now() - began) / 1000,
    tokensPerStep: TOKENS_PER_STEP,
    corpusTokens: train.manifest.counts.tokens,
    heldOutTokens: Math.min(heldout.manifest.counts.tokens, HELD_OUT_BATCHES * TOKENS_PER_STEP),
  };
  const { arm, base: baseOf } = recipes;
  const planning = { folder, arms: TEXT_ARMS, measured, say };
  const first = await textPlan({ ...planning, base: given === null ? baseOf : null, arm, signal: options.signal });
  const { dtype, baseSteps } = first;
  for (const line of planLines(first, measured)) say(line);
  const base = given ?? (await options.train({ ...baseOf(SIZES[first.size!]!), steps: baseSteps, dtype }));
  const plan = given === null ? settlePlan(first, planning, trainingSeconds(join(folder, 'base'))) : first;
  return {
    title: `LoopRPT and its strongest baselines on ${source.name}`,
    dataName: `the held-out part of ${source.name}`,
    notes: [
      ...source.remarks,
      given === null
        ? `The base was trained on the spot, ${baseSteps} steps of stage I: far from saturation on text.`
        : `The base is ${options.model}.`,
      ...shortRemark(plan.armSteps),
      `Every arm had the same processor time, by steps that were measured before: ${TEXT_ARMS.map(({ name }, i) => `${name} ${plan.armSteps[i]} steps`).join(', ')}.`,
    ],
    base,
    arms: TEXT_ARMS,
    config: (each) => ({ ...arm(each, null, base), steps: plan.armSteps[TEXT_ARMS.indexOf(each)]!, dtype }),
    dtype,
    heldOut: () => batchesOf(heldout, SHAPE, tokenizer.padId, HELD_OUT_BATCHES),
  };
}

/** Of all the calls that it took. */
const trainingSeconds = (run: string): number => readMetrics(join(run, METRICS_FILE)).records.at(-1)?.seconds ?? 0;

const shards = (folder: string, part: Part): string => join(folder, `${part}-shards`);

async function ownTokenizer(source: TextSource, folder: string): Promise<string> {
  const out = join(folder, 'tokenizer');
  const vocabSize = VOCABULARIES.find(([most]) => source.survey.characters <= most)![1];
  if (!existsSync(out)) await trainTokenizer({ texts: textsOf(source.open('train')), vocabSize, out });
  return out;
}

async function shardsOf(source: TextSource, tokenizer: Tokenizer, folder: string): Promise<void> {
  for (const part of PARTS) {
    const out = shards(folder, part);
    if (!existsSync(out))
      await prepareShards({ documents: source.open(part), tokenizer, out, source: source.name, split: part });
  }
}

interface Recipes {
  base: (size: Size) => RunConfig;
  /** On a base that is there, or on a fresh model of a size, to be timed. */
  arm: (arm: Arm, size: Size | null, base?: string) => RunConfig;
}

function recipesOf(
  { folder, threads, seed }: TextOptions,
  { given, tokenizerFrom }: { given: string | null; tokenizerFrom: string },
): Recipes {
  const data = { shards: shards(folder, 'train') };
  const scale = (hiddenSize: number): number => Math.sqrt(128 / hiddenSize);
  const fresh = (size: Size): RunConfigInput['model'] => ({
    tokenizer: tokenizerFrom,
    architecture: { ...size, loops: LOOPS },
  });
  return {
    base: (size) =>
      runConfigSchema.parse({
        model: fresh(size),
        data,
        objective: { kind: 'stage1', beta: 0.1 },
        out: join(folder, 'base'),
        steps: 1,
        batch: BATCH,
        optimizer: { learningRate: BASE_RATE * scale(size.hiddenSize), weightDecay: 0.1 },
        schedule: { warmupSteps: 50 },
        checkpoint: { every: 100, keep: 1 },
        tensorboard: false,
        threads,
        seed,
      } satisfies RunConfigInput),
    arm: (arm, size, base = given ?? '') => {
      const hiddenSize = size?.hiddenSize ?? readModelConfig(base).hiddenSize;
      const training = {
        data,
        batch: BATCH,
        schedule: { warmupSteps: 20 },
        steps: 1,
        learningRate: Math.min(ARM_RATE, ARM_RATE * scale(hiddenSize)),
      };
      // A model from scratch has no start to interpolate towards; only its speed is asked for.
      const timed = size === null ? arm : { ...arm, blend: 1 };
      const model = size === null ? { from: base } : fresh(size);
      return armConfig(timed, { model, training }, { out: folder, threads, seed });
    },
  };
}

function planLines({ size, baseSteps, armSteps, seconds }: TextPlan, { corpusTokens }: Measured): string[] {
  const passes = (steps: number): string => `${((steps * TOKENS_PER_STEP) / corpusTokens).toFixed(1)} passes`;
  const shape = size === null ? null : SIZES[size]!;
  const base = shape
    ? [
        `a base of ${shape.layers} layers × ${LOOPS} loops, hidden ${shape.hiddenSize}, ${counted(baseSteps)} (${passes(baseSteps)})`,
      ]
    : [];
  const arms = TEXT_ARMS.map(({ name }, i) => `${name} ${counted(armSteps[i]!)} (${passes(armSteps[i]!)})`);
  const end = new Date(Date.now() + 1000 * seconds).toTimeString().slice(0, 5);
  return [
    `Plan: ${[...base, ...arms].join('; ')}; then evaluation and report. About ${formatDuration(seconds)}, until ${end}.`,
    ...shortRemark(armSteps),
  ];
}

const counted = (steps: number): string => `${steps} ${steps === 1 ? 'step' : 'steps'}`;

/** Where the time is too short for a verdict that means anything. */
function shortRemark(armSteps: readonly number[]): string[] {
  const fewest = Math.min(...armSteps);
  return fewest >= FEW_STEPS
    ? []
    : [`An arm of ${counted(fewest)} has learnt next to nothing: the time or the text is too short for a verdict.`];
}

async function* textsOf(documents: Documents): AsyncGenerator<string> {
  for await (const { text } of documents) yield text;
}
