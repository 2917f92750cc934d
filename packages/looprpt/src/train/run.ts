/**
 * A training run from start, or from its newest whole checkpoint, to its last step.
 *
 * The run folder holds `config.json` (resolved), `metrics.jsonl`, TensorBoard files and `checkpoints/step-N/`. A run that is
 * interrupted finishes its step, writes a checkpoint and reports it; one that is killed goes on from the newest whole checkpoint and
 * ends with the same weights, bit for bit.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { setThreads } from '@looprpt/engine';
import type { PackedBatch } from '../data/loader/batch.js';
import type { PackedLoader } from '../data/loader/packed-loader.js';
import { UserError } from '../user-error.js';
import { newestWholeCheckpoint, type RunState, restoreCheckpoint, retain, writeCheckpoint } from './checkpoint.js';
import { GateWatch } from './gate-watch.js';
import { METRICS_FILE, MetricsLog, truncateAfter } from './metrics/metrics-log.js';
import { type MetricsRecord, type MetricsSink, teeMetrics } from './metrics/record.js';
import { TensorBoardLog } from './metrics/tensorboard.js';
import { type ModelSource, modelSource } from './open-model.js';
import { type RunConfig, runConfigSchema } from './run-config.js';
import { openRunData } from './run-data.js';
import { scheduleFactor } from './schedule.js';
import { type StepResult, Trainer } from './trainer.js';

export interface RunHooks {
  /** After every step. */
  onStep?: (record: MetricsRecord, totalSteps: number) => void;
  /** A sentence worth showing: damaged checkpoints, a collapsing gate, skipped steps. */
  onMessage?: (message: string) => void;
  /** Ends the run after the step it is in, with a checkpoint. */
  signal?: AbortSignal;
}

export interface RunOutcome {
  /** The newest checkpoint, a model folder. */
  model: string;
  step: number;
  interrupted: boolean;
  /** Steps that were not finite. */
  skipped: number;
}

export const CONFIG_FILE = 'config.json';

/**
 * Runs the training.
 * @param resume go on in an existing run folder; without it the folder must not hold a run
 */
export async function run(config: RunConfig, resume: boolean, hooks: RunHooks = {}): Promise<RunOutcome> {
  setThreads(config.threads);
  const started = isThere(config, resume);
  const source = await modelSource(config);
  const loader = openRunData(config, source.tokenizer);
  const trainer = new Trainer({
    student: source.open(),
    objective: config.objective,
    optimizer: config.optimizer,
    teacherDecay: config.teacherDecay,
    seed: config.seed,
  });
  try {
    const state = started ? await resumed(config, trainer, loader, hooks) : null;
    // Only now that model and data could be opened: a failed start leaves no folder behind.
    if (!started) makeRunFolder(config);
    return await train(config, trainer, loader, source, state, hooks);
  } finally {
    trainer[Symbol.dispose]();
    trainer.student.dispose();
  }
}

/** Whether a run is there already; checks that it is this one. */
function isThere(config: RunConfig, resume: boolean): boolean {
  const file = join(config.out, CONFIG_FILE);
  if (!existsSync(file)) return false;
  if (!resume)
    throw new UserError(`${config.out}: holds a run already; --resume continues it, or give another folder with out=`);
  const stored = runConfigSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!stored.success) throw new UserError(`${file}: not the configuration of a run`);
  const changed = differingKeys(stored.data, config);
  if (changed.length > 0)
    throw new UserError(
      `${config.out}: the run there has another ${changed.join(', ')}; resume with the same configuration, or give another folder with out=`,
    );
  return true;
}

function makeRunFolder(config: RunConfig): void {
  mkdirSync(config.out, { recursive: true });
  const partial = join(config.out, `.${CONFIG_FILE}.partial`);
  writeFileSync(partial, `${JSON.stringify(config, null, 2)}\n`, { flush: true });
  renameSync(partial, join(config.out, CONFIG_FILE));
}

/** Top-level settings that decide what is computed and differ; where the run lies and what it keeps may change. */
function differingKeys(a: RunConfig, b: RunConfig): string[] {
  const free = new Set(['out', 'checkpoint', 'tensorboard']);
  return Object.keys(b).filter(
    (key) => !free.has(key) && !isDeepStrictEqual(a[key as keyof RunConfig], b[key as keyof RunConfig]),
  );
}

async function resumed(
  config: RunConfig,
  trainer: Trainer,
  loader: PackedLoader,
  hooks: RunHooks,
): Promise<RunState | null> {
  const checkpoint = await newestWholeCheckpoint(config.out, (message) => hooks.onMessage?.(message));
  truncateAfter(join(config.out, METRICS_FILE), checkpoint?.step ?? 0);
  if (checkpoint === null) return null;
  const state = restoreCheckpoint(checkpoint, trainer);
  loader.restore(state.data);
  return state;
}

async function train(
  config: RunConfig,
  trainer: Trainer,
  loader: PackedLoader,
  source: ModelSource,
  state: RunState | null,
  hooks: RunHooks,
): Promise<RunOutcome> {
  const gateWatch = new GateWatch();
  if (state) gateWatch.restore(state.gateWatch);
  const at = { step: 0, tokens: 0, seconds: 0, skippedInRow: 0, skippedTotal: 0, ...(state ?? {}) };
  const save = async (): Promise<string> => {
    const { step, tokens, seconds, skippedInRow, skippedTotal } = at;
    const whole: RunState = {
      version: 1,
      ...{ step, tokens, seconds, skippedInRow, skippedTotal },
      gateWatch: gateWatch.state(),
      trainer: trainer.state(),
      data: loader.state(),
    };
    const path = await writeCheckpoint(config.out, whole, trainer, source.tokenizerFrom);
    retain(config.out, config.checkpoint.keep);
    return path;
  };
  const metrics = openMetrics(config);
  let interrupted = false;
  let saved: string | null = null;
  while (at.step < config.steps && !interrupted) {
    const began = performance.now();
    const batches = await nextBatches(loader, config.batch.accumulate);
    if (batches.length === 0) break;
    const learningRate = config.optimizer.learningRate * scheduleFactor(config.schedule, at.step + 1, config.steps);
    const result = trainer.step(batches, learningRate);
    const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
    const seconds = (performance.now() - began) / 1000;
    at.step++;
    at.tokens += tokens;
    at.seconds += seconds;
    at.skippedInRow = result.skipped ? at.skippedInRow + 1 : 0;
    at.skippedTotal += Number(result.skipped);
    const warning = gateWatch.observe(result.exitHistogram);
    const record = toRecord(at, tokens / seconds, learningRate, result, warning);
    metrics.write(record);
    hooks.onStep?.(record, config.steps);
    for (const message of record.warnings ?? []) hooks.onMessage?.(`step ${at.step}: ${message}`);
    if (at.skippedInRow >= config.nonFinite.stopAfter) {
      metrics.close();
      throw new UserError(
        `step ${at.step}: ${at.skippedInRow} steps in a row had a loss or gradient that is not finite; lower optimizer.learningRate, or look at the data (nonFinite.stopAfter sets the limit)`,
      );
    }
    // Gives signals and timers their turn between steps.
    await new Promise((resolve) => setImmediate(resolve));
    interrupted = hooks.signal?.aborted ?? false;
    saved = at.step % config.checkpoint.every === 0 ? await save() : null;
  }
  metrics.close();
  return { model: saved ?? (await save()), step: at.step, interrupted, skipped: at.skippedTotal };
}

async function nextBatches(loader: PackedLoader, count: number): Promise<PackedBatch[]> {
  const batches: PackedBatch[] = [];
  while (batches.length < count) {
    const batch = await loader.next();
    if (batch === null) break;
    batches.push(batch);
  }
  return batches;
}

function openMetrics({ out, tensorboard }: RunConfig): MetricsSink {
  const log = new MetricsLog(join(out, METRICS_FILE));
  return tensorboard ? teeMetrics([log, new TensorBoardLog(out)]) : log;
}

function toRecord(
  at: { step: number; tokens: number; seconds: number },
  tokensPerSecond: number,
  learningRate: number,
  result: StepResult,
  warning: string | undefined,
): MetricsRecord {
  const { skipped, gradientNorm, parts, ...measured } = result;
  const warnings = [
    ...(warning === undefined ? [] : [warning]),
    ...(skipped ? ['the loss or the gradient is not finite: the step was skipped'] : []),
  ];
  return {
    ...{ step: at.step, tokens: at.tokens, seconds: at.seconds, tokensPerSecond, learningRate },
    ...measured,
    parts,
    gradientNorm,
    ...(parts.klTeacher === undefined ? {} : { klTeacher: parts.klTeacher }),
    memoryBytes: process.memoryUsage.rss(),
    ...(skipped ? { skipped } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}
