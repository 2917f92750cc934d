/**
 * Conducts a study: trials on the tuning split, then, with the settings chosen there, all arms on the held-out split, for every seed.
 * Units that are done already are read, the others are run.
 */
import assert from 'node:assert/strict';
import { quantile } from 'looprpt/internal/eval/bootstrap.js';
import { frontierArea } from 'looprpt/internal/eval/frontier.js';
import { type LoopLMConfig, parameterCount } from 'looprpt/internal/model/config.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { modelSource } from 'looprpt/internal/train/student.js';
import { type Arm, type Trial, trialsOf } from './arm.js';
import { dataIn, digestOf, heldOutBatches, lossShareOf, trainingStream } from './batches.js';
import { prepareCorpus } from './corpus.js';
import { documentsOfSequences } from './documents.js';
import { forecastLine, forecastOf } from './forecast.js';
import { type Budget, Planner } from './planner.js';
import type { Inputs } from './ready-corpus.js';
import { runAll } from './run-all.js';
import type { RunUnit } from './run-unit.js';
import { shippedModel } from './shipped.js';
import type { ArmResult, BaseResult, Store } from './store.js';
import type { Study } from './study.js';
import type { Unit, UnitHeldOut } from './unit.js';

/** An arm trained with one budget. */
export interface ArmRuns {
  arm: Arm;
  budget: Budget;
  /** Chosen on the tuning split; null for the base. */
  trial: Trial | null;
  steps: number;
  /** Of training, for one seed. */
  flops: number;
  /** In the order of the study's seeds. */
  results: ArmResult[];
}

export interface Tuned {
  arm: Arm;
  chosen: Trial | null;
  /** Mean area, or that of the frontier where it decides, on the tuning split; empty where nothing was tried. */
  trials: { trial: Trial; area: number }[];
}

export interface Conducted {
  study: Study;
  parameters: number;
  /** Of the reported seeds, each once; none where a base ships. */
  bases: BaseResult[];
  baseFlops: number;
  tuning: Tuned[];
  runs: ArmRuns[];
  /** The held-out split: which document every sequence is of, and a digest of its batches. */
  heldOut: { documentOf: number[]; digest: string };
  /** The same of the base's own data; null where what is forgotten is not measured. */
  general: { documentOf: number[]; digest: string } | null;
}

export interface ConductOptions {
  study: Study;
  store: Store;
  run: RunUnit;
  threads: number;
  inputs: Inputs;
  budgets: readonly Budget[];
  /** False: nothing is tried, every arm takes the middle one of its trials. */
  tune: boolean;
  quiet: boolean;
  /** Runs at a time, for what is said of the time; default 1. */
  jobs?: number;
}

export async function conduct(options: ConductOptions): Promise<Conducted> {
  const { study, store, budgets } = options;
  const { planner, parameters, heldOut, general, config, model } = await plannerOf(options);
  if (!options.quiet) await sayForecast(planner, options, { config, model });
  const tuning = await tuneArms(planner, options);
  const bases = planner.baseUnits(study.seeds);
  const conductAll = async (budget: Budget, planned: readonly Planned[]): Promise<ArmRuns[]> => {
    const unitOf = ({ arm, trial, steps }: Planned, seed: number) =>
      planner.armUnit(arm, trial, { seed, judge: 'heldout', steps });
    const units = study.seeds.flatMap((seed) => planned.map((one) => unitOf(one, seed)));
    const flops = (unit: Unit): number => planner.unitFlops(unit);
    await runAll(`equal ${budget}`, [...bases, ...units], { ...options, flops });
    return planned.map((one) => {
      const { arm, trial, steps } = one;
      const results = study.seeds.map((seed) => store.read(unitOf(one, seed))!);
      return { arm, budget, trial, steps, flops: trial ? steps * planner.stepFlops(arm, trial) : 0, results };
    });
  };
  const planned = tuning.map(({ arm, chosen: trial }) => ({ arm, trial, steps: trial ? study.training.steps : 0 }));
  const equalTokens = await conductAll('tokens', planned);
  const equalCompute = budgets.includes('compute')
    ? await conductAll('compute', withEqualCompute(equalTokens, study, planner))
    : [];
  return {
    study,
    parameters,
    bases: bases.map((unit) => store.read(unit)!),
    baseFlops: bases[0] ? planner.unitFlops(bases[0]) : 0,
    tuning,
    heldOut,
    general,
    runs: [...equalTokens, ...equalCompute],
  };
}

/** A setting tried on the tuning split, with what it came to there, a result a seed. */
export interface Tried {
  arm: Arm;
  trial: Trial;
  results: ArmResult[];
}

/** The trials alone: nothing is run on the held-out split. */
export async function tryOnTuning(options: ConductOptions): Promise<Tried[]> {
  const { study, store } = options;
  const { planner } = await plannerOf(options);
  const tuned = await tuneArms(planner, options);
  return tuned.flatMap(({ arm, trials }) =>
    trials.map(({ trial }) => ({
      arm,
      trial,
      results: study.tuning.seeds.map((seed) => store.read(tuningUnit(planner, study, { arm, trial, seed }))!),
    })),
  );
}

function tuningUnit(planner: Planner, study: Study, { arm, trial, seed }: { arm: Arm; trial: Trial; seed: number }) {
  return planner.armUnit(arm, trial, { seed, judge: 'tune', steps: study.training.steps });
}

/** An arm with its settings, and the steps that it makes. */
type Planned = Pick<ArmRuns, 'arm' | 'trial' | 'steps'>;

/** The same arms with as many steps as cost what those of the reference arm do, by FLOPs or by what the runs given here took. */
function withEqualCompute(
  runs: readonly ArmRuns[],
  { computeBy, equalCompute, equalTokensOnly }: Study,
  planner: Planner,
): Planned[] {
  const cost = ({ arm, trial, results }: ArmRuns): number =>
    computeBy === 'cpu' ? cpuPerStep(results) : planner.stepFlops(arm, trial!);
  const reference = cost(runs.find(({ arm }) => arm.name === equalCompute)!);
  return runs.flatMap((one) => {
    const { arm, trial } = one;
    if (equalTokensOnly?.includes(arm.name)) return [];
    return [{ arm, trial, steps: trial ? planner.equalSteps({ own: cost(one), reference }) : 0 }];
  });
}

/** CPU seconds of a training step, the median of some runs. */
function cpuPerStep(results: readonly ArmResult[]): number {
  const each = results.map(({ training }) => training!.seconds / training!.steps);
  return quantile(Float64Array.from(each).sort(), 0.5);
}

async function plannerOf({ study, store, inputs, threads }: ConductOptions) {
  const shipped = 'shipped' in study.base ? shippedModel(study.base.shipped) : null;
  const corpus = await prepareCorpus(store, study.corpus, { inputs, tokenizer: shipped });
  const seed = study.seeds[0]!;
  const data = corpus.trainingData(seed);
  const run = runConfigSchema.parse({
    model: shipped ? { from: shipped } : { architecture: study.model!, tokenizer: store.path(corpus.tokenizer) },
    data: dataIn(store.folder, data),
    objective: { kind: 'stage1' },
    out: store.folder,
    steps: 1,
    batch: study.training.batch,
    threads,
  } satisfies RunConfigInput);
  const { config, tokenizer } = await modelSource(run);
  const stream = trainingStream(store.folder, { data, recipe: study.training, seed }, tokenizer);
  const lossShare = await lossShareOf(stream);
  const planner = new Planner({ study, corpus, model: config, lossShare, threads });
  const judges = async (of: UnitHeldOut): Promise<Conducted['heldOut']> => {
    const batches = await heldOutBatches(store.folder, of, study.training.batch, tokenizer);
    return { documentOf: documentsOfSequences(batches, tokenizer.endOfTextId), digest: digestOf(batches) };
  };
  const heldOut = await judges(corpus.heldOut('heldout'));
  const general = corpus.general ? await judges(corpus.general) : null;
  return { planner, parameters: parameterCount(config), heldOut, general, config: run, model: config };
}

/** How much work there is, on standard error. */
async function sayForecast(
  planner: Planner,
  options: ConductOptions,
  { config, model }: { config: RunConfig; model: LoopLMConfig },
): Promise<void> {
  const { study, jobs = 1 } = options;
  const line = await forecastLine(study, forecastOf(planner, options), { config, model, jobs });
  if (line !== null) process.stderr.write(`${line}\n`);
}

/** What a study will take; runs nothing but the steps that are timed. */
export async function forecast(options: ConductOptions): Promise<string> {
  const { planner, config, model } = await plannerOf(options);
  const { study, jobs = 1 } = options;
  const line = await forecastLine(study, forecastOf(planner, options), { config, model, jobs });
  return line ?? `${study.name}: nothing is left to run`;
}

/**
 * Every trial of every arm with the tuning seeds; the one with the largest mean area on the tuning split is chosen, of the
 * curve or of its frontier as the study decides.
 */
async function tuneArms(planner: Planner, options: ConductOptions): Promise<Tuned[]> {
  const { study, store, tune } = options;
  const { seeds } = study.tuning;
  const unitOf = (arm: Arm, trial: Trial, seed: number) => tuningUnit(planner, study, { arm, trial, seed });
  const tried = study.arms.map((arm) => ({ arm, trials: trialsOf(arm, study.tuning) }));
  if (!tune) return tried.map(({ arm, trials }) => ({ arm, chosen: trials[trials.length >> 1] ?? null, trials: [] }));
  const bases = planner.baseUnits(seeds);
  const units = seeds.flatMap((seed) =>
    tried.flatMap(({ arm, trials }) => trials.map((trial) => unitOf(arm, trial, seed))),
  );
  await runAll('tuning', [...bases, ...units], { ...options, flops: (unit) => planner.unitFlops(unit) });
  return tried.map(({ arm, trials }) => {
    const scored = trials.map((trial) => ({
      trial,
      area: meanArea(
        seeds.map((seed) => store.read(unitOf(arm, trial, seed))!),
        study.decides,
      ),
    }));
    const best = scored.toSorted((a, b) => b.area - a.area)[0];
    return { arm, chosen: best?.trial ?? null, trials: scored };
  });
}

function meanArea(results: readonly ArmResult[], decides: Study['decides']): number {
  const areas = results.map(({ evaluation: { area, rules, loops } }) =>
    decides === 'area' ? area!.gate! : frontierArea(rules!.find(({ rule }) => rule === 'gate')!.points, loops),
  );
  assert(areas.every(Number.isFinite));
  return areas.reduce((sum, area) => sum + area, 0) / areas.length;
}
