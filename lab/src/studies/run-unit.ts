/**
 * Runs one unit in this process and writes its result. Keeps what units have in common (batches, the base's view of the held-out
 * documents) between calls, of the latest base only.
 */

import { join, relative } from 'node:path';
import { setThreads } from '@looprpt/engine';
import { loadModel } from 'looprpt/internal/checkpoint/load-model.js';
import type { PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import { bestShare, searchBlend } from 'looprpt/internal/eval/blend-search.js';
import { chooseFrontier } from 'looprpt/internal/eval/frontier.js';
import { scoreAt } from 'looprpt/internal/eval/score.js';
import { tableFromModel } from 'looprpt/internal/eval/table-from-model.js';
import { TableJudge } from 'looprpt/internal/eval/table-judge.js';
import { exitsBySignal } from 'looprpt/internal/eval/thresholds.js';
import { sequenceCount, type TokenTable } from 'looprpt/internal/eval/token-table.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { objectiveOf } from 'looprpt/internal/objectives/objective.js';
import { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { adamWConfigSchema } from 'looprpt/internal/train/adamw.js';
import { blendTowards } from 'looprpt/internal/train/blend.js';
import { trainingLoop } from 'looprpt/internal/train/loop.js';
import { METRICS_FILE, readMetrics } from 'looprpt/internal/train/metrics/metrics-log.js';
import { run } from 'looprpt/internal/train/run.js';
import { type RunConfigInput, runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { scheduledRate } from 'looprpt/internal/train/schedule.js';
import { Trainer } from 'looprpt/internal/train/trainer.js';
import type { ArmSettings } from './arm.js';
import {
  type BatchStream,
  dataIn,
  digestOf,
  heldOutBatches,
  ORDER_EVERY,
  OrderDigest,
  trainingStream,
} from './batches.js';
import { documentSums, encodeSums, meanLoopsShown } from './document-sums.js';
import type { ArmResult, BaseResult, Store, TrainingRecord } from './store.js';
import { type ArmUnit, type BaseUnit, digest, keyOf, type Unit, type UnitHeldOut } from './unit.js';

/** What the arms of one base share. */
interface Shared {
  id: string;
  stream: BatchStream;
  heldOut: PackedBatch[];
  /** The base's view of the held-out documents. */
  baseTable: TokenTable;
  /** The same of the documents on which thresholds are chosen. */
  tuning: { batches: PackedBatch[]; baseTable: TokenTable } | null;
  general: PackedBatch[] | null;
}

/** @param onProgress the share of the unit that is done */
export type RunUnit = (unit: Unit, onProgress: (share: number) => void) => Promise<void>;

/** A function that runs units in this process, one after another in the order in which they are asked for. */
export function unitRunner(store: Store): RunUnit {
  let shared: Shared | null = null;
  let before: Promise<unknown> = Promise.resolve();
  return (unit, onProgress) => {
    const done = before.then(() => runNow(unit, onProgress));
    before = done.catch(() => {});
    return done;
  };

  async function runNow(unit: Unit, onProgress: (share: number) => void): Promise<void> {
    setThreads(unit.threads);
    if (unit.kind === 'base') {
      store.write(unit, await trainBase(store, unit, onProgress));
      return;
    }
    const folder = store.baseFolder(unit.base);
    const { base, data, heldOut, thresholdsOn, general, recipe, seed, threads } = unit;
    const id = digest(
      JSON.stringify(
        [base, data, heldOut, thresholdsOn, general, recipe.batch, seed, threads].map((one) => one ?? null),
      ),
    );
    if (shared?.id !== id) shared = await open(store, unit, folder, id);
    store.write(unit, await runArm(unit, folder, shared, onProgress));
  }
}

/** A run like any other, which goes on from its last checkpoint if it was killed. */
async function trainBase(store: Store, unit: BaseUnit, onProgress: (share: number) => void): Promise<BaseResult> {
  const { model, tokenizer, data, recipe, learningRate, beta, dtype, seed, threads } = unit;
  const key = keyOf(unit);
  const out = join('bases', key);
  const { steps, batch, schedule, weightDecay } = recipe;
  const config = runConfigSchema.parse({
    model: { architecture: model, tokenizer: store.path(tokenizer) },
    data: dataIn(store.folder, data),
    objective: { kind: 'stage1', beta },
    dtype: dtype ?? 'float32',
    out: store.path(out),
    steps,
    batch,
    schedule,
    seed,
    threads,
    optimizer: { learningRate, weightDecay },
    checkpoint: { every: 500, keep: 1 },
    tensorboard: false,
  } satisfies RunConfigInput);
  const outcome = await run(config, true, {
    onStep: ({ step }) => onProgress(step / steps),
  });
  const { seconds, tokens } = readMetrics(store.path(join(out, METRICS_FILE))).records.at(-1)!;
  return { key, model: relative(store.folder, outcome.model), seconds, tokens };
}

async function open(store: Store, unit: ArmUnit, folder: string, id: string): Promise<Shared> {
  const tokenizer = await Tokenizer.load(folder);
  const batches = async (of: UnitHeldOut | undefined): Promise<PackedBatch[] | null> =>
    of ? heldOutBatches(store.folder, of, unit.recipe.batch, tokenizer) : null;
  const heldOut = (await batches(unit.heldOut))!;
  const tuning = await batches(unit.thresholdsOn);
  const model = loadModel(folder);
  const baseTable = await tableFromModel(model, heldOut);
  const baseTuning = tuning && { batches: tuning, baseTable: await tableFromModel(model, tuning) };
  model.dispose();
  const stream = trainingStream(store.folder, unit, tokenizer);
  return { id, stream, heldOut, baseTable, tuning: baseTuning, general: await batches(unit.general) };
}

async function runArm(
  unit: ArmUnit,
  folder: string,
  { stream, heldOut, baseTable, tuning, general }: Shared,
  onProgress: (share: number) => void,
): Promise<ArmResult> {
  const { settings } = unit;
  const start = digestOfStart(folder);
  const model = loadModel(folder, { dtype: settings?.dtype });
  const training = settings ? await train(model, unit, settings, stream, onProgress) : null;
  const share =
    settings?.blend === 'search'
      ? await chosenShare(model, folder, tuning?.batches ?? heldOut, training!)
      : settings?.blend;
  if (share !== undefined) drawBack(model, folder, share);
  const table = settings ? await tableFromModel(model, heldOut) : baseTable;
  const judge = new TableJudge({ name: 'base', table: baseTable }, { data: 'held-out documents' });
  const evaluation = judge.evaluate({ name: 'arm', table, config: model.config });
  const tuned = tuning && (settings ? await tableFromModel(model, tuning.batches) : tuning.baseTable);
  const elsewhere = general && (await tableFromModel(model, general));
  model.dispose();
  const documents = sequenceCount(table);
  const hard = judge.hard(table);
  const choose = (chosenOn: TokenTable) => chooseFrontier(chosenOn, { budgets: meanLoopsShown(chosenOn.loops) });
  const choice = tuned && choose(tuned);
  const tuningJudge = tuning && new TableJudge({ name: 'base', table: tuning.baseTable }, { data: 'tuning documents' });
  const hardChoice = tuned && choose(tuningJudge!.hard(tuned));
  return {
    key: keyOf(unit),
    start,
    evaluated: digestOf(heldOut),
    training,
    ...(settings?.blend === 'search' && { blend: share! }),
    evaluation,
    sums: {
      all: encodeSums(documentSums(table, documents, choice ? { choice } : {})),
      hard: encodeSums(documentSums(hard, documents, hardChoice ? { choice: hardChoice } : {})),
      ...(elsewhere && { general: encodeSums(documentSums(elsewhere, sequenceCount(elsewhere))) }),
    },
    ...(choice && { frontier: choice.thresholds.map(({ threshold }) => pointAt(table, threshold)) }),
    ...(general && { general: digestOf(general) }),
  };
}

function pointAt(table: TokenTable, threshold: number): { meanLoops: number; accuracy: number } {
  const { meanLoops, accuracy } = scoreAt(table, exitsBySignal(table.exitCdf, threshold));
  return { meanLoops, accuracy };
}

async function train(
  student: LoopLM,
  { recipe, seed }: ArmUnit,
  { objective, learningRate, gateLearningRateScale, teacherDecay }: ArmSettings,
  stream: BatchStream,
  onProgress: (share: number) => void,
): Promise<TrainingRecord> {
  const optimizer = adamWConfigSchema.parse({
    learningRate,
    gateLearningRateScale,
    weightDecay: recipe.weightDecay,
  });
  using trainer = new Trainer({ student, objective: objectiveOf(objective), optimizer, teacherDecay, seed });
  const record: TrainingRecord = { steps: recipe.steps, tokens: 0, lossTokens: 0, seconds: 0, skipped: 0, order: [] };
  const order = new OrderDigest();
  const { steps, schedule } = recipe;
  await trainingLoop({
    trainer: { step: (batches, rate) => inCpuTime(record, () => trainer.step(batches, rate)) },
    batches: stream.batches(),
    steps,
    learningRate: scheduledRate(learningRate, schedule, steps),
    onStep: ({ step, batches, result }) => {
      for (const batch of batches) order.add(batch);
      record.tokens += result.tokens;
      record.lossTokens += result.lossTokens;
      record.skipped += Number(result.skipped);
      if (step === 1 || step % ORDER_EVERY === 0) record.order.push(order.value);
      onProgress(step / steps);
    },
  });
  student.setRequiresGrad(false);
  return record;
}

/** Adds what a step takes of the processor to the record, waits and other work left out. */
function inCpuTime<T>(record: TrainingRecord, step: () => T): T {
  const began = process.cpuUsage();
  const result = step();
  const { user, system } = process.cpuUsage(began);
  record.seconds += (user + system) / 1e6;
  return result;
}

/** The interpolation weight that is best on the tuning split, at the cost of the training's account. */
async function chosenShare(
  trained: LoopLM,
  folder: string,
  batches: readonly PackedBatch[],
  record: TrainingRecord,
): Promise<number> {
  const began = process.cpuUsage();
  const trials = await searchBlend({ open: () => loadModel(folder), trained, batches });
  const { user, system } = process.cpuUsage(began);
  record.seconds += (user + system) / 1e6;
  return bestShare(trials);
}

/** To where a run with this `blend` would end. */
function drawBack(model: LoopLM, folder: string, blend: number): void {
  const start = loadModel(folder, { dtype: model.dtype });
  // The way from the trained weights to the start, but for the share of it that stays.
  blendTowards(model, start, 1 - blend);
  start.dispose();
}

/** Of the weights as they are stored, in whatever dtype an arm goes on from them. */
function digestOfStart(folder: string): string {
  const model = loadModel(folder);
  const parts = model.parameters().map(({ tensor }) => digest(tensor.toTyped() as NodeJS.ArrayBufferView));
  model.dispose();
  return digest(parts.join());
}
