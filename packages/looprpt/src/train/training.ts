/**
 * What a run makes of the steps of the loop: metrics, checkpoints, rollbacks, from a state or from the start.
 *
 * Invariants: a checkpoint's state depends on nothing but the steps before it; metrics are written before the checkpoint of their
 * step; nothing that is not finite is ever written; whatever ends the run, what was being written is finished first.
 */
import { join } from 'node:path';
import { UserError } from '../base/user-error.js';
import type { PackedLoader } from '../data/loader/packed-loader.js';
import { TRAINED_ON_FILE, trainedOnText } from '../data/tasks/trained-on.js';
import type { Peers } from '../objectives/peers.js';
import { agreedCheckpoint, poisonedIn } from './distributed/together.js';
import { GateWatch } from './gate-watch.js';
import { type NextStep, type StepDone, trainingLoop } from './loop.js';
import { MetricWindow } from './metrics/metric-window.js';
import { METRICS_FILE, MetricsLog, readMetrics } from './metrics/metrics-log.js';
import { type MetricsRecord, type MetricsSink, stepRecord, teeMetrics } from './metrics/record.js';
import { TensorBoardLog } from './metrics/tensorboard.js';
import { ThinnedLog } from './metrics/thinned/thinned-log.js';
import { reactionTo } from './non-finite.js';
import type { RunConfig } from './run-config.js';
import { runBatches } from './run-data.js';
import { scheduledRate } from './schedule.js';
import { checkpointPath } from './state/folder.js';
import type { Score } from './state/retention.js';
import { type RunState, restoreCheckpoint } from './state/run-state.js';
import { readCompanions, textImage } from './state/snapshot.js';
import { type CheckpointTiming, CheckpointWriter } from './state/writer.js';
import type { Trainer } from './trainer.js';

export interface RunHooks {
  /** After every step. */
  onStep?: (record: MetricsRecord, totalSteps: number) => void;
  /** A sentence worth showing: damaged checkpoints, a collapsing gate, skipped steps. */
  onMessage?: (message: string) => void;
  /** After a checkpoint is on the disk. */
  onCheckpoint?: (timing: CheckpointTiming) => void;
  /** Ends the run after the step it is in, with a checkpoint. */
  signal?: AbortSignal;
}

export interface RunOutcome {
  /** The run's model: the blended one where there is one, else the newest checkpoint. */
  model: string;
  step: number;
  interrupted: boolean;
  /** Steps that were not finite. */
  skipped: number;
  /** Of this process; one that trains alone is rank 0. */
  rank: number;
}

/** What a run trains with. */
export interface TrainingParts {
  config: RunConfig;
  trainer: Trainer;
  loader: PackedLoader;
  /** The other ranks, who make the same steps; rank 0 alone writes. */
  peers: Peers;
  /** The folder with the tokenizer's files. */
  tokenizerFrom: string;
  /** Throws if the run's folder is no longer this process's. */
  assertOwner: () => void;
}

type Counters = Pick<RunState, 'step' | 'tokens' | 'seconds' | 'skippedInRow' | 'skippedTotal' | 'rollbacks'>;

export class Training implements AsyncDisposable {
  readonly #parts: TrainingParts;
  readonly #hooks: RunHooks;
  readonly #fresh: boolean;
  readonly #gateWatch = new GateWatch();
  readonly #window: MetricWindow | null;
  /** Rank 0's. */
  readonly #metrics: MetricsSink | null;
  readonly #writer: CheckpointWriter | null;
  #at: Counters = { step: 0, tokens: 0, seconds: 0, skippedInRow: 0, skippedTotal: 0, rollbacks: 0 };
  /** Sentences for the next record. */
  #notes: string[] = [];
  /** The checkpoint of the step that the run is at, if it has one. */
  #saved: string | null = null;

  /** @param state null at the start; trainer, loader and metrics are there already */
  constructor(parts: TrainingParts, state: RunState | null, hooks: RunHooks) {
    const { config, peers, assertOwner, tokenizerFrom } = parts;
    const writes = peers.rank === 0;
    const { out, checkpoint, tensorboard } = config;
    this.#parts = parts;
    this.#hooks = hooks;
    this.#fresh = state === null;
    const { keepBest, every } = checkpoint;
    this.#window = writes && keepBest ? new MetricWindow(keepBest.metric, every) : null;
    if (state) this.#goOnFrom(state, state);
    this.#metrics = writes ? this.#openMetrics(tensorboard) : null;
    this.#writer = writes
      ? new CheckpointWriter({
          runFolder: out,
          retention: checkpoint,
          companions: [
            ...readCompanions(tokenizerFrom),
            ...('task' in config.data ? [textImage(TRAINED_ON_FILE, trainedOnText(config.data.task))] : []),
          ],
          syncFirst: [this.#metricsFile],
          assertOwner,
          onWritten: hooks.onCheckpoint,
        })
      : null;
  }

  #openMetrics(tensorboard: boolean): MetricsSink {
    const sinks: MetricsSink[] = [new MetricsLog(this.#metricsFile), new ThinnedLog(this.#metricsFile)];
    if (!tensorboard) return teeMetrics(sinks);
    return teeMetrics([...sinks, new TensorBoardLog(this.#parts.config.out, { firstStep: this.#at.step + 1 })]);
  }

  /** Trains to the last step, the end of the data or the interruption; the last checkpoint is on the disk then. */
  async run(): Promise<RunOutcome> {
    const { config, loader, peers, trainer } = this.#parts;
    const { steps, optimizer, schedule } = config;
    // Something to go back to, should the first steps go wrong.
    if (this.#fresh && config.nonFinite.action === 'rollback') this.#saved = await this.#save();
    let interrupted = false;
    await trainingLoop({
      trainer,
      batches: runBatches(loader, config, trainer.student.config.vocabSize),
      steps,
      from: this.#at.step,
      learningRate: scheduledRate(optimizer.learningRate, schedule, steps),
      onStep: async (done) => {
        this.#record(done);
        this.#writer?.check();
        interrupted = peers.any(this.#hooks.signal?.aborted ?? false);
        const next = await this.#react(interrupted);
        return interrupted ? 'stop' : next;
      },
    });
    while (this.#saved === null) this.#saved = await this.#save();
    await this.#writer?.idle();
    // What the others report as theirs rank 0 has written by then.
    peers.any(false);
    const { step, skippedTotal } = this.#at;
    return { model: this.#saved, step, interrupted, skipped: skippedTotal, rank: peers.rank };
  }

  /** After a step: on, back or an end, and a checkpoint where one is due. */
  async #react(interrupted: boolean): Promise<NextStep> {
    const { config } = this.#parts;
    const { step, skippedInRow, rollbacks } = this.#at;
    const reaction = reactionTo(skippedInRow, rollbacks, config.nonFinite);
    if (reaction.kind === 'stop') throw new UserError(`step ${step}: ${reaction.reason}`);
    if (reaction.kind === 'go back') await this.#goBack(`${skippedInRow} steps in a row were not finite`);
    const due = reaction.kind === 'go on' && step % config.checkpoint.every === 0;
    if (due || interrupted || this.#at.step === config.steps) this.#saved = await this.#save();
    return this.#at.step === step ? undefined : { from: this.#at.step };
  }

  #record({ learningRate, result: { tokens, lossTokens, ...result }, seconds, step }: StepDone): void {
    const at = this.#at;
    this.#saved = null;
    at.step = step;
    at.tokens += tokens;
    at.seconds += seconds;
    at.skippedTotal += Number(result.skipped);
    // Nothing to learn from is no trouble.
    const nothing = lossTokens === 0;
    at.skippedInRow = result.skipped && !nothing ? at.skippedInRow + 1 : 0;
    const collapsed = this.#gateWatch.observe(result.exitHistogram);
    const why = nothing ? 'no token of the batch counts in the loss' : 'the loss or the gradient is not finite';
    const warnings = [
      ...(collapsed === undefined ? [] : [collapsed]),
      ...(result.skipped ? [`${why}: the step was skipped`] : []),
    ];
    const record = stepRecord(
      { step, tokens: at.tokens, seconds: at.seconds, tokensPerSecond: tokens / seconds, learningRate },
      result,
      [...this.#notes, ...warnings],
    );
    this.#notes = [];
    this.#metrics?.write(record);
    this.#window?.observe(record);
    this.#hooks.onStep?.(record, this.#parts.config.steps);
    for (const message of warnings) this.#hooks.onMessage?.(`step ${step}: ${message}`);
  }

  /** Hands a checkpoint to the writer. @returns its folder; null if the state was not finite and the run went back instead */
  async #save(): Promise<string | null> {
    const { config, peers, trainer } = this.#parts;
    using tensors = trainer.tensors();
    const poisoned = poisonedIn(trainer, tensors, peers);
    if (poisoned !== null) {
      await this.#poisoned(poisoned);
      return null;
    }
    if (this.#writer === null) return checkpointPath(config.out, this.#at.step);
    const path = await this.#writer.save({ state: this.#state(), model: trainer.student, tensors });
    if (!config.checkpoint.background) await this.#writer.idle();
    return path;
  }

  #state(): RunState {
    const { trainer, loader } = this.#parts;
    return {
      version: 1,
      ...this.#at,
      score: this.#score(),
      gateWatch: this.#gateWatch.state(),
      trainer: trainer.state(),
      data: loader.state(),
    };
  }

  #score(): Score | null {
    if (this.#window === null) return null;
    const value = this.#window.mean();
    return value === null ? null : { metric: this.#window.metric, value };
  }

  async #poisoned(name: string): Promise<void> {
    const { nonFinite } = this.#parts.config;
    const { step, rollbacks } = this.#at;
    const what = `${name} holds NaN or infinity, so no checkpoint was written`;
    if (nonFinite.action === 'rollback' && rollbacks < nonFinite.maxRollbacks) return this.#goBack(what);
    throw new UserError(
      `step ${step}: ${what}; --resume goes on from the newest one, with nonFinite.action=rollback past the data that led here`,
    );
  }

  /** To the newest checkpoint, and on with the data that come next. */
  async #goBack(why: string): Promise<void> {
    const { config, peers, trainer } = this.#parts;
    const { step, seconds, skippedTotal, rollbacks } = this.#at;
    await this.#writer?.idle();
    const checkpoint = await agreedCheckpoint(config.out, peers, (message) => this.#hooks.onMessage?.(message));
    if (checkpoint === null) throw new UserError(`step ${step}: ${why}, and there is no checkpoint to go back to`);
    const state = restoreCheckpoint(checkpoint, trainer);
    this.#metrics?.rewind(state.step);
    this.#goOnFrom(state, { ...state, seconds, skippedTotal, skippedInRow: 0, rollbacks: rollbacks + 1 });
    const note = `went back from step ${step} to ${state.step}: ${why}`;
    this.#notes.push(note);
    this.#hooks.onMessage?.(note);
  }

  #goOnFrom({ gateWatch }: RunState, counters: Counters): void {
    const { step, tokens, seconds, skippedInRow, skippedTotal, rollbacks } = counters;
    Object.assign(this.#at, { step, tokens, seconds, skippedInRow, skippedTotal, rollbacks });
    this.#gateWatch.restore(gateWatch);
    this.#window?.refill(readMetrics(this.#metricsFile).records);
  }

  get #metricsFile(): string {
    return join(this.#parts.config.out, METRICS_FILE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer?.[Symbol.asyncDispose]();
    this.#metrics?.close();
  }
}
