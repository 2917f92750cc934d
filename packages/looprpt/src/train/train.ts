/**
 * Training from code: a configuration, and what a configuration cannot hold (a loss function, documents, a logger). `looprpt
 * train` and `looprpt pretrain` are this with a file in place of the object.
 */
import type { Settings } from '../base/settings/assign.js';
import { UserError } from '../base/user-error.js';
import type { Documents } from '../data/documents/document.js';
import { type CustomObjective, customObjective, type LossFunction } from '../objectives/custom.js';
import { flatMetrics } from './metrics/flat.js';
import type { MetricsRecord } from './metrics/record.js';
import type { PresetName } from './presets.js';
import { resolveRun } from './resolve.js';
import { type Given, type RunHooks, type RunOutcome, run } from './run.js';
import type { RunConfig, RunConfigInput } from './run-config.js';
import type { CheckpointTiming } from './state/writer.js';

/** A run's configuration; what has a default may be left out, `objective` and `data` where the options give them. */
export type TrainConfig = Omit<RunConfigInput, 'objective' | 'data'> &
  Partial<Pick<RunConfigInput, 'objective' | 'data'>> & {
    /** Named settings of LoopRPT, under what the configuration says itself. */
    preset?: PresetName;
  };

/** What happens in a run, in order. `start` comes once the configuration is complete, `end` where nothing was thrown. */
export type LogEntry =
  | { kind: 'start'; config: RunConfig }
  | { kind: 'step'; record: MetricsRecord; totalSteps: number }
  | { kind: 'message'; text: string }
  | { kind: 'checkpoint'; timing: CheckpointTiming }
  | { kind: 'end'; outcome: RunOutcome };

/** A function that is told of what happens; it must not throw, and is not waited for. */
export type Logger = (entry: LogEntry) => void;

/** What a configuration cannot hold: a loss, documents, a logger; hooks into the steps, a signal that ends them, and whether to go on. */
export interface TrainOptions extends RunHooks {
  /** Go on with the run in `out` where there is one; without it there must be none. */
  resume?: boolean | undefined;
  /**
   * With `resume`: the run's steps are more than it was started for, also where it has ended. The learning rate follows the schedule of
   * the new number from there on.
   */
  extend?: boolean | undefined;
  /** A loss of one's own, in place of `objective`. */
  objective?: LossFunction | CustomObjective | undefined;
  /**
   * Documents of one's own, in place of `data`. A list is shuffled and read again in the next epoch; any other iterable is read
   * once, in its order, and ends the run where it ends.
   */
  data?: Documents | undefined;
  logger?: Logger | undefined;
  /**
   * After every step, its measurements as numbers by flat names, as dashboards take them: `loss`, `parts.crossEntropy`,
   * `exitHistogram.1` … `exitHistogram.K`. What was not measured, and what is not finite, is left out.
   */
  onMetrics?: ((metrics: Record<string, number>, step: number) => void) | undefined;
}

/** A run that has ended. */
export interface TrainedRun extends RunOutcome {
  /** The run folder. */
  out: string;
}

/**
 * Trains a looped language model: LoopRPT (arXiv 2603.19714), a baseline, stage I or II of Ouro (arXiv 2510.25741), or a loss of
 * one's own. Writes a run folder: `config.json`, `metrics.jsonl`, `checkpoints/step-N/`.
 * @throws UserError when the configuration, the data or the model are at fault, the folder holds a run, or training diverged
 * @example
 * const run = await train(
 *   { ...presets.paper, model: { from: 'hop-base' }, data: { shards: 'shards' }, out: 'runs/rpt', steps: 500 },
 *   { onStep: ({ loss, meanLoops }) => console.log(loss, meanLoops) },
 * );
 */
export async function train(config: TrainConfig, options: TrainOptions = {}): Promise<TrainedRun> {
  const { resume = false, extend = false, logger, onStep, onMetrics, onMessage, onCheckpoint, signal } = options;
  const { settings, given } = withGiven(config, options);
  const say = (text: string): void => {
    onMessage?.(text);
    logger?.({ kind: 'message', text });
  };
  const { config: resolved, dtypeIsOpen } = await resolveRun(settings, { where: 'train', resume, onMessage: say });
  given.dtypeIsOpen = dtypeIsOpen;
  given.onComplete = (complete) => logger?.({ kind: 'start', config: complete });
  const hooks: RunHooks = {
    onMessage: say,
    onStep: (record, totalSteps) => {
      onStep?.(record, totalSteps);
      onMetrics?.(flatMetrics(record), record.step);
      logger?.({ kind: 'step', record, totalSteps });
    },
    onCheckpoint: (timing) => {
      onCheckpoint?.(timing);
      logger?.({ kind: 'checkpoint', timing });
    },
    ...(signal ? { signal } : {}),
  };
  const outcome = await run(resolved, resume && extend ? 'longer' : resume, hooks, given);
  logger?.({ kind: 'end', outcome });
  return { ...outcome, out: resolved.out };
}

/** The configuration names what the options give, so that a run folder says what it was trained with. */
function withGiven(config: TrainConfig, { objective, data }: TrainOptions): { settings: Settings; given: Given } {
  const settings: Settings = { ...config };
  const given: Given = {};
  if (objective !== undefined) {
    if (config.objective !== undefined || config.preset !== undefined)
      throw new UserError(
        'train: the options give an objective, so leave objective and preset out of the configuration',
      );
    const custom = typeof objective === 'function' ? { loss: objective } : objective;
    given.objective = customObjective(custom);
    settings.objective = { kind: 'custom', name: custom.name, readsTeacher: custom.readsTeacher };
  }
  if (data !== undefined) {
    if (config.data !== undefined)
      throw new UserError('train: the options give documents, so leave data out of the configuration');
    given.documents = data;
    settings.data = { given: 'documents' };
  }
  return { settings, given };
}
