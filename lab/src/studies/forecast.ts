/**
 * What a study will take, said before its work: how many runs, their training FLOPs, and the time by a few steps of its model that are
 * timed here. Evaluations and what arms cost besides arithmetic are not in it.
 */
import { formatDuration } from 'looprpt/internal/base/terminal/duration.js';
import type { LoopLMConfig } from 'looprpt/internal/model/config.js';
import { planRun } from 'looprpt/internal/train/plan/plan.js';
import { probeStep } from 'looprpt/internal/train/plan/probe.js';
import { timeRemark } from 'looprpt/internal/train/plan/time.js';
import type { RunConfig } from 'looprpt/internal/train/run-config.js';
import { trialsOf } from './arm.js';
import type { Budget, Planner } from './planner.js';
import type { Store } from './store.js';
import type { Study } from './study.js';
import { keyOf, type Unit } from './unit.js';

export interface Forecast {
  /** Runs that are still to be made, the bases among them. */
  runs: number;
  /** Of their training. */
  flops: number;
}

export interface ForecastInputs {
  study: Study;
  store: Pick<Store, 'has'>;
  budgets: readonly Budget[];
  tune: boolean;
}

/** Trials that are not chosen yet count with the middle one's cost. */
export function forecastOf(planner: Planner, { study, store, budgets, tune }: ForecastInputs): Forecast {
  const { steps } = study.training;
  const arms = study.arms.map((arm) => {
    const trials = trialsOf(arm, study.tuning);
    return { arm, trials, middle: trials[trials.length >> 1] ?? null };
  });
  const tuningSeeds = tune ? study.tuning.seeds : [];
  const bases = planner.baseUnits([...new Set([...tuningSeeds, ...study.seeds])]);
  const tuning = tuningSeeds.flatMap((seed) =>
    arms.flatMap(({ arm, trials }) =>
      trials.map((trial) => planner.armUnit(arm, trial, { seed, judge: 'tune', steps })),
    ),
  );
  const equalTokens = study.seeds.flatMap((seed) =>
    arms.map(({ arm, middle }) => planner.armUnit(arm, middle, { seed, judge: 'heldout', steps })),
  );
  const reference = arms.find(({ arm }) => arm.name === study.equalCompute)?.middle;
  const cost = reference ? planner.stepFlops(arms.find(({ middle }) => middle === reference)!.arm, reference) : null;
  const equalCompute = study.seeds.flatMap((seed) =>
    arms.flatMap(({ arm, middle }) => {
      if (cost === null || middle === null || study.equalTokensOnly?.includes(arm.name)) return [];
      const own = planner.equalSteps({ own: planner.stepFlops(arm, middle), reference: cost });
      return [planner.armUnit(arm, middle, { seed, judge: 'heldout', steps: own })];
    }),
  );
  const all: Unit[] = [...bases, ...tuning, ...equalTokens, ...(budgets.includes('compute') ? equalCompute : [])];
  const missing = [...new Map(all.map((unit) => [keyOf(unit), unit])).values()].filter(
    (unit) => !store.has(keyOf(unit)),
  );
  return { runs: missing.length, flops: missing.reduce((sum, unit) => sum + planner.unitFlops(unit), 0) };
}

/** @param config of a run of the study's model and data @returns null where there is nothing to do or nothing to time */
export async function forecastLine(
  { name }: Study,
  { runs, flops }: Forecast,
  { config, model, jobs }: { config: RunConfig; model: LoopLMConfig; jobs: number },
): Promise<string | null> {
  const step = runs === 0 ? null : await probeStep(config);
  if (step === null) return null;
  const seconds = (flops * step) / planRun({ config, model }).flops.perStep / jobs;
  const remark = timeRemark(seconds);
  return `${name}: ${runs} runs, ${(flops / 1e12).toPrecision(3)} TFLOP of training; about ${formatDuration(seconds)} with ${jobs} at a time, as measured here${remark === null ? '' : `; ${remark}`}`;
}
