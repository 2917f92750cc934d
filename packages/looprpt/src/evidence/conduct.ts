/**
 * Conducts a study: trials on the tuning split, then, with the settings chosen there, all arms on the held-out split, for every seed.
 * Units that are done already are read, the others are run.
 */
import assert from 'node:assert/strict';
import { quantile } from '../eval/bootstrap.js';
import { parameterCount } from '../model/config.js';
import { modelSource } from '../train/open-model.js';
import { type RunConfigInput, runConfigSchema } from '../train/run-config.js';
import { UserError } from '../user-error.js';
import { type Arm, type Trial, trialsOf } from './arm.js';
import { digestOf, heldOutBatches, lossShareOf, trainingStream } from './batches.js';
import { prepareCorpus } from './corpus.js';
import { documentsOfSequences } from './documents.js';
import { type Budget, Planner } from './planner.js';
import { runAll } from './run-all.js';
import type { RunUnit } from './run-unit.js';
import { shippedModel } from './shipped.js';
import type { ArmResult, BaseResult, Store } from './store.js';
import type { Study } from './study.js';
import type { Inputs } from './text-corpus.js';

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
  /** Mean area on the tuning split; empty where nothing was tried. */
  trials: { trial: Trial; area: number }[];
  /** CPU seconds of a training step, the median of the runs that tuned; NaN where nothing was tried. */
  cpuPerStep: number;
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
}

export async function conduct(options: ConductOptions): Promise<Conducted> {
  const { study, store, budgets } = options;
  const { planner, parameters, heldOut } = await plannerOf(options);
  const tuning = await tuneArms(planner, options);
  const stepCost = ({ arm, chosen, cpuPerStep }: Tuned): number =>
    study.computeBy === 'cpu' ? cpuPerStep : planner.stepFlops(arm, chosen!);
  const reference = stepCost(tuning.find(({ arm }) => arm.name === study.equalCompute)!);
  const jobs = tuning.flatMap((tuned) =>
    budgets.map((budget) => {
      const { arm, chosen: trial } = tuned;
      const steps = trial ? planner.steps(budget, { own: stepCost(tuned), reference }) : 0;
      const flops = trial ? steps * planner.stepFlops(arm, trial) : 0;
      return { arm, budget, trial, steps, flops };
    }),
  );
  const unitOf = ({ arm, trial, steps }: (typeof jobs)[number], seed: number) =>
    planner.armUnit(arm, trial, { seed, judge: 'heldout', steps });
  const bases = planner.baseUnits(study.seeds);
  const arms = study.seeds.flatMap((seed) => jobs.map((job) => unitOf(job, seed)));
  await runAll('arms', [...bases, ...arms], { ...options, flops: (unit) => planner.unitFlops(unit) });
  return {
    study,
    parameters,
    bases: bases.map((unit) => store.read(unit)!),
    baseFlops: bases[0] ? planner.unitFlops(bases[0]) : 0,
    tuning,
    heldOut,
    runs: jobs.map((job) => ({ ...job, results: study.seeds.map((seed) => store.read(unitOf(job, seed))!) })),
  };
}

async function plannerOf({ study, store, inputs, threads }: ConductOptions) {
  const shipped = 'shipped' in study.base ? shippedModel(study.base.shipped) : null;
  const corpus = await prepareCorpus(store, study.corpus, { inputs, tokenizer: shipped });
  const seed = study.seeds[0]!;
  const data = corpus.trainingData(seed);
  const { config, tokenizer } = await modelSource(
    runConfigSchema.parse({
      model: shipped ? { from: shipped } : { architecture: study.model!, tokenizer: store.path(corpus.tokenizer) },
      data,
      objective: { kind: 'stage1' },
      out: store.folder,
      steps: 1,
    } satisfies RunConfigInput),
  );
  const stream = trainingStream(store.folder, { data, recipe: study.training, seed }, tokenizer);
  const lossShare = await lossShareOf(stream);
  const planner = new Planner({ study, corpus, model: config, lossShare, threads });
  const batches = await heldOutBatches(store.folder, corpus.heldOut('heldout'), study.training.batch, tokenizer);
  const heldOut = { documentOf: documentsOfSequences(batches, tokenizer.endOfTextId), digest: digestOf(batches) };
  return { planner, parameters: parameterCount(config), heldOut };
}

/** Every trial of every arm with the tuning seeds; the one with the largest mean area on the tuning split is chosen. */
async function tuneArms(planner: Planner, options: ConductOptions): Promise<Tuned[]> {
  const { study, store, tune } = options;
  const { seeds } = study.tuning;
  const { steps } = study.training;
  const unitOf = (arm: Arm, trial: Trial, seed: number) => planner.armUnit(arm, trial, { seed, judge: 'tune', steps });
  const tried = study.arms.map((arm) => ({ arm, trials: trialsOf(arm, study.tuning) }));
  if (!tune) {
    if (study.computeBy === 'cpu' && options.budgets.includes('compute'))
      throw new UserError(`${study.name} measures compute on the runs that tune: give --no-compute with --no-tuning`);
    const middle = (trials: Trial[]): Trial | null => trials[trials.length >> 1] ?? null;
    return tried.map(({ arm, trials }) => ({ arm, chosen: middle(trials), trials: [], cpuPerStep: Number.NaN }));
  }
  const bases = planner.baseUnits(seeds);
  // Arm by arm within a trial, so that a slow spell of the machine falls on the CPU seconds of all arms alike.
  const units = seeds.flatMap((seed) =>
    Array.from({ length: study.tuning.trials }, (_, i) =>
      tried.flatMap(({ arm, trials }) => (trials[i] ? [unitOf(arm, trials[i], seed)] : [])),
    ).flat(),
  );
  await runAll('tuning', [...bases, ...units], { ...options, flops: (unit) => planner.unitFlops(unit) });
  return tried.map(({ arm, trials }) => {
    const results = trials.map((trial) => seeds.map((seed) => store.read(unitOf(arm, trial, seed))!));
    const scored = trials.map((trial, i) => ({ trial, area: meanArea(results[i]!) }));
    const best = scored.toSorted((a, b) => b.area - a.area)[0];
    const cpu = results.flat().flatMap(({ training }) => (training ? [training.seconds / training.steps] : []));
    return {
      arm,
      chosen: best?.trial ?? null,
      trials: scored,
      cpuPerStep: quantile(Float64Array.from(cpu).sort(), 0.5),
    };
  });
}

function meanArea(results: readonly ArmResult[]): number {
  const areas = results.map(({ evaluation }) => evaluation.area!.gate!);
  assert(areas.every(Number.isFinite));
  return areas.reduce((sum, area) => sum + area, 0) / areas.length;
}
