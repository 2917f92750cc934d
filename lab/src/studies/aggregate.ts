/** From the results of a study's units to its outcome: means over seeds, and intervals for the differences that matter. */
import assert from 'node:assert/strict';
import { type BreakdownSummary, type ModelSummary, spread, summarise } from 'looprpt/internal/eval/report/summary.js';
import type { EvalResult } from 'looprpt/internal/eval/result.js';
import type { ArmRuns, Conducted } from './conduct.js';
import { type DocumentSums, decodeSums, meanLoopsShown } from './document-sums.js';
import { sumsByDocument } from './documents.js';
import { Resampled } from './hierarchical-bootstrap.js';
import type { Budget } from './planner.js';
import { type Difference, type Ends, PARTS, type Part, type Reach, type Row, type StudyResult } from './result.js';
import type { ArmResult } from './store.js';
import { OUR_PRESETS } from './variants.js';

export interface AggregateOptions {
  command: string;
  /** Whether every arm, seed and budget of the study is there. */
  whole: boolean;
  resamples: number;
}

export function aggregate(conducted: Conducted, { command, whole, resamples }: AggregateOptions): StudyResult {
  const { study, runs, bases, heldOut, general } = conducted;
  const { documentOf } = heldOut;
  assertComparable(runs, heldOut.digest, general?.digest);
  const { loops, tokens } = runs[0]!.results[0]!.evaluation;
  const sumsOf = (one: ArmResult, part: Part): DocumentSums => {
    const sums = sumsByDocument(decodeSums(one.sums[part]), documentOf);
    return part === 'all' ? sums : { ...sums, whole: sumsOf(one, 'all') };
  };
  const resampled = new Map(
    PARTS.map((part) => {
      const arms = new Map(runs.map((one) => [nameOf(one), one.results.map((result) => sumsOf(result, part))]));
      return [part, new Resampled(arms, { resamples })];
    }),
  );
  const best = bestBaselines(runs, resampled, study.decides);
  const generalSums = (result: ArmResult): DocumentSums =>
    sumsByDocument(decodeSums(result.sums.general!), general!.documentOf);
  const forgotten = general
    ? new Resampled(new Map(runs.map((one) => [nameOf(one), one.results.map(generalSums)])), { resamples })
    : null;
  const measured: RowParts = { runs, resampled, forgotten, best };
  return {
    study,
    command,
    whole,
    parameters: conducted.parameters,
    loops,
    documents: new Set(documentOf).size,
    tokens,
    resamples,
    base: { flops: conducted.baseFlops, seconds: bases.length > 0 ? mean(bases.map(({ seconds }) => seconds)) : 0 },
    tuning: conducted.tuning.map(({ arm, trials }) => ({ arm: arm.name, trials: trials.map((one) => ({ ...one })) })),
    best,
    rows: runs.map((one) => rowOf(one, measured)),
    differences: [...differences(runs, resampled, best, study.decides), ...forgettings(runs, forgotten)],
  };
}

function nameOf({ arm, budget }: { arm: { name: string }; budget: Budget }): string {
  return `${arm.name} ${budget}`;
}

/** What every comparison must hold equal: start, order of the training batches, held-out batches. */
function assertComparable(runs: readonly ArmRuns[], heldOut: string, general: string | undefined): void {
  const first = runs[0]!;
  first.results.forEach(({ start }, seed) => {
    const ofSeed = runs.map(({ results }) => results[seed]!);
    for (const result of ofSeed) {
      assert.equal(result.start, start, 'arms with different start weights');
      assert.equal(result.evaluated, heldOut, 'arms judged on different batches');
      assert.equal(result.general, general, 'arms judged on different batches of the base');
    }
    const orders = ofSeed.flatMap(({ training }) => (training ? [training.order] : []));
    const longest = orders.toSorted((a, b) => b.length - a.length)[0] ?? [];
    for (const order of orders)
      assert.deepEqual(order, longest.slice(0, order.length), 'arms trained on different batches');
  });
}

function bestBaselines(
  runs: readonly ArmRuns[],
  resampled: ReadonlyMap<Part, Resampled>,
  decides: 'area' | 'frontier',
): StudyResult['best'] {
  const budgets = [...new Set(runs.map(({ budget }) => budget))];
  return budgets.flatMap((budget) =>
    PARTS.flatMap((part) => {
      const area = (one: ArmRuns): number => resampled.get(part)!.of(nameOf(one), decides).mean;
      const baselines = runs.filter(
        ({ arm, budget: b }) => b === budget && (arm.role === 'baseline' || arm.role === 'base'),
      );
      const [winner] = baselines.toSorted((a, b) => area(b) - area(a));
      return winner ? [{ budget, part, arm: winner.arm.name }] : [];
    }),
  );
}

/** What a row needs beside its own runs. */
interface RowParts {
  runs: readonly ArmRuns[];
  resampled: ReadonlyMap<Part, Resampled>;
  forgotten: Resampled | null;
  best: StudyResult['best'];
}

function rowOf(one: ArmRuns, parts: RowParts): Row {
  const { arm, budget, trial, steps, flops, results } = one;
  const over = (pick: (result: ArmResult) => number): number => mean(results.map(pick));
  const [evaluation, ...replicates] = results.map((result): EvalResult => result.evaluation);
  return {
    arm: arm.name,
    title: arm.title,
    role: arm.role,
    budget,
    trial,
    steps,
    flops,
    tokens: over(({ training }) => training?.tokens ?? 0),
    seconds: over(({ training }) => training?.seconds ?? 0),
    skipped: results.reduce((sum, { training }) => sum + (training?.skipped ?? 0), 0),
    calibrationError: over((result) => result.evaluation.calibration!.error),
    summary: lean(
      summarise({ name: arm.title, metrics: [], evaluation: evaluation!, replicates })!,
      budget === 'tokens' && arm.role !== 'ablation',
    ),
    ...(results[0]!.frontier && { frontier: frontierOf(one, parts) }),
    ...(parts.forgotten && { general: generalOf(one, parts.forgotten) }),
  };
}

function generalOf(one: ArmRuns, forgotten: Resampled): NonNullable<Row['general']> {
  const loops = one.results[0]!.evaluation.loops;
  const of = (measure: string) => spread(forgotten.of(nameOf(one), measure).seeds);
  return {
    accuracy: Array.from({ length: loops }, (_, k) => of(`accuracy@${k + 1}`)),
    crossEntropy: of(`crossEntropy@${loops}`),
  };
}

function frontierOf(one: ArmRuns, { runs, resampled, best }: RowParts): NonNullable<Row['frontier']> {
  const of = (part: Part, measure: string) => spread(resampled.get(part)!.of(nameOf(one), measure).seeds);
  const rival = (name: string | undefined): ArmRuns =>
    runs.find(({ arm, budget }) => arm.name === name && budget === one.budget)!;
  const base = runs.find(({ arm, budget }) => arm.role === 'base' && budget === one.budget)!;
  const bestArm = best.find(({ budget, part }) => budget === one.budget && part === 'all')!.arm;
  return {
    all: of('all', 'frontier'),
    hard: of('hard', 'frontier'),
    within: meanLoopsShown(one.results[0]!.evaluation.loops).map((loops) => ({
      loops,
      accuracy: of('all', `accuracy ≤ ${loops}`),
    })),
    least: { base: leastLoops(one, base), best: leastLoops(one, rival(bestArm)) },
  };
}

/** The fewest mean loops at which an arm is as accurate as another at its best, by seed: their mean over the seeds that get there. */
function leastLoops({ results }: ArmRuns, rival: ArmRuns): Reach {
  const reached = results.flatMap(({ frontier }, seed) => {
    const wanted = Math.max(...rival.results[seed]!.frontier!.map(({ accuracy }) => accuracy));
    const there = frontier!.filter(({ accuracy }) => accuracy >= wanted).map(({ meanLoops }) => meanLoops);
    return there.length > 0 ? [Math.min(...there)] : [];
  });
  return { meanLoops: reached.length > 0 ? mean(reached) : null, share: reached.length / results.length };
}

/** Without the curves that no figure shows: only the gate's by difficulty, and where no figure compares the exit rules. */
function lean(summary: ModelSummary, withRules: boolean): ModelSummary {
  const gateOnly = (part: BreakdownSummary): BreakdownSummary => ({
    ...part,
    curves: part.curves.filter(({ rule }) => rule === 'gate'),
  });
  const bucket = (part: BreakdownSummary): BreakdownSummary => ({ ...gateOnly(part), adaptive: [] });
  const { easy, medium, hard } = summary.buckets;
  return {
    ...summary,
    all: withRules ? summary.all : gateOnly(summary.all),
    buckets: { easy: bucket(easy), medium: bucket(medium), hard: bucket(hard) },
  };
}

function differences(
  runs: readonly ArmRuns[],
  resampled: ReadonlyMap<Part, Resampled>,
  best: StudyResult['best'],
  decides: 'area' | 'frontier',
): Difference[] {
  const at = (arm: string, budget: Budget): ArmRuns | undefined =>
    runs.find((one) => one.arm.name === arm && one.budget === budget);
  const method = runs.find(({ arm }) => arm.role === 'method')?.arm.name;
  return runs.flatMap((a) =>
    PARTS.flatMap((part) => {
      if (a.arm.role === 'base') return [];
      const bestArm = best.find((one) => one.budget === a.budget && one.part === part)?.arm;
      const rivals = ['base', bestArm, method, ...OUR_PRESETS, a.arm.against];
      return [...new Set(rivals)].flatMap((name) => {
        const b = name === undefined ? undefined : at(name, a.budget);
        return b && b !== a ? [difference(a, b, part, resampled.get(part)!, decides)] : [];
      });
    }),
  );
}

/** What every arm has lost or gained on the base's own data. */
function forgettings(runs: readonly ArmRuns[], forgotten: Resampled | null): Difference[] {
  if (!forgotten) return [];
  return runs.flatMap((a) => {
    const base = runs.find(({ arm, budget }) => arm.role === 'base' && budget === a.budget)!;
    return a === base ? [] : [difference(a, base, 'general', forgotten, 'area')];
  });
}

function difference(
  a: ArmRuns,
  b: ArmRuns,
  part: Difference['part'],
  resampled: Resampled,
  decides: 'area' | 'frontier',
): Difference {
  const read = (measure: string) => resampled.difference(nameOf(a), nameOf(b), measure);
  return {
    a: a.arm.name,
    b: b.arm.name,
    budget: a.budget,
    part,
    measures: Object.fromEntries(
      resampled.measures.map((measure): [string, Ends] => {
        const { mean, low, high } = read(measure);
        return [measure, [mean, low, high]];
      }),
    ),
    areas: read(decides).seeds,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
