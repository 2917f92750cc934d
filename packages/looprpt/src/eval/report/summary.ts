/**
 * Evaluations made ready for tables and figures: one value per number, or mean and standard deviation over seeds.
 *
 * Nothing is recomputed from tokens here. Curves over mean loops differ in their points from seed to seed, so several
 * are first read off at the same mean loops, by linear interpolation between their own points.
 */
import { type Breakdown, BUCKETS, type Bucket, type CurveRule, type EvalResult } from '../result.js';
import type { ReportRun } from './input.js';

/** `sd` is the sample standard deviation over seeds; absent for one seed. */
export interface Spread {
  mean: number;
  sd?: number;
}

export interface LoopSummary {
  loop: number;
  accuracy: Spread;
  crossEntropy: Spread;
}

export interface AdaptiveSummary {
  tau: number;
  accuracy: Spread;
  crossEntropy: Spread;
  meanLoops: Spread;
  exitShare: number[];
}

export interface CurvePoint {
  /** The rule's threshold; absent where several seeds were read off at the same mean loops. */
  setting?: number;
  meanLoops: number;
  accuracy: Spread;
  flopsPerToken?: number;
}

/** Points in order of mean loops. */
export interface Curve {
  rule: CurveRule;
  points: CurvePoint[];
}

export interface BreakdownSummary {
  tokens: number;
  perLoop: LoopSummary[];
  adaptive: AdaptiveSummary[];
  /** The gate and the training-free rules; static loops are `perLoop`. */
  curves: Curve[];
  area: Partial<Record<CurveRule, Spread>>;
  /** Of the gate; older evaluations have none. */
  frontier?: { area: Spread; within: { loops: number; accuracy: Spread }[] };
  /** Early loops as drafts of full depth; older evaluations have none. */
  drafts?: { acceptance: Spread[]; passes: Spread };
}

export interface ModelSummary {
  name: string;
  loops: number;
  seeds: number;
  flops?: { perLoop: number; head: number };
  all: BreakdownSummary;
  buckets: Record<Bucket, BreakdownSummary>;
}

const GRID_POINTS = 33;

/** @returns the run's evaluation over all its seeds, or nothing if it was not evaluated */
export function summarise(run: ReportRun): ModelSummary | undefined {
  const results = [...(run.evaluation ? [run.evaluation] : []), ...(run.replicates ?? [])];
  const first = results[0];
  if (first === undefined) return undefined;
  const flops = first.flops;
  const part = (pick: (result: EvalResult) => Breakdown) => summariseBreakdown(results.map(pick), flops);
  return {
    name: run.name,
    loops: first.loops,
    seeds: results.length,
    ...(flops && { flops: { perLoop: flops.perLoop, head: flops.head } }),
    all: part((result) => result),
    buckets: Object.fromEntries(
      BUCKETS.map((bucket) => [bucket, part((result) => result.buckets[bucket])]),
    ) as ModelSummary['buckets'],
  };
}

function summariseBreakdown(parts: Breakdown[], flops: EvalResult['flops']): BreakdownSummary {
  const first = parts[0]!;
  const over = (pick: (part: Breakdown) => number | undefined): Spread => spread(parts.map(pick));
  const rules: CurveRule[] = (first.rules ?? []).map(({ rule }) => rule).filter((rule) => rule !== 'static');
  if (!rules.includes('gate') && first.adaptive.length > 0) rules.unshift('gate');
  const areas = Object.keys(first.area ?? {}) as CurveRule[];
  return {
    tokens: first.tokens,
    perLoop: first.perLoop.map(({ loop }, index) => ({
      loop,
      accuracy: over((part) => part.perLoop[index]?.accuracy),
      crossEntropy: over((part) => part.perLoop[index]?.crossEntropy),
    })),
    adaptive: first.adaptive.map(({ tau, exitShare }, index) => ({
      tau,
      accuracy: over((part) => part.adaptive[index]?.accuracy),
      crossEntropy: over((part) => part.adaptive[index]?.crossEntropy),
      meanLoops: over((part) => part.adaptive[index]?.meanLoops),
      exitShare: exitShare.map((_, loop) => over((part) => part.adaptive[index]?.exitShare[loop]).mean),
    })),
    curves: rules.map((rule) => ({ rule, points: meanCurve(parts.map((part) => curveOf(part, rule, flops))) })),
    area: Object.fromEntries(areas.map((rule) => [rule, over((part) => part.area?.[rule])])),
    ...(first.frontier && {
      frontier: {
        area: over((part) => part.frontier?.area),
        within: first.frontier.within.map(({ loops }, index) => ({
          loops,
          accuracy: over((part) => part.frontier?.within[index]?.accuracy),
        })),
      },
    }),
    ...(first.drafts && {
      drafts: {
        acceptance: first.drafts.acceptance.map((_, k) => over((part) => part.drafts?.acceptance[k])),
        passes: over((part) => part.drafts?.passes),
      },
    }),
  };
}

interface PlainPoint {
  setting: number;
  meanLoops: number;
  accuracy: number;
  flopsPerToken?: number;
}

function curveOf(part: Breakdown, rule: CurveRule, flops: EvalResult['flops']): PlainPoint[] {
  const curve = part.rules?.find((candidate) => candidate.rule === rule);
  const points: PlainPoint[] = curve
    ? curve.points.map(({ setting, meanLoops, accuracy, flopsPerToken }) => ({
        setting,
        meanLoops,
        accuracy,
        flopsPerToken,
      }))
    : part.adaptive.map(({ tau, meanLoops, accuracy }) => ({
        setting: tau,
        meanLoops,
        accuracy,
        ...(flops && { flopsPerToken: meanLoops * flops.perLoop + flops.head }),
      }));
  return points.toSorted((a, b) => a.meanLoops - b.meanLoops || a.setting - b.setting);
}

/** One seed's points as they are; several seeds' on a common grid over the mean loops that all of them reach. */
function meanCurve(curves: PlainPoint[][]): CurvePoint[] {
  const [only] = curves;
  if (curves.length === 1) return only!.map((point) => ({ ...point, accuracy: { mean: point.accuracy } }));
  const filled = curves.filter((curve) => curve.length > 0);
  if (filled.length === 0) return [];
  const from = Math.max(...filled.map((curve) => curve[0]!.meanLoops));
  const to = Math.min(...filled.map((curve) => curve.at(-1)!.meanLoops));
  if (from > to) return [];
  const hasFlops = filled.every((curve) => curve.every(({ flopsPerToken }) => flopsPerToken !== undefined));
  return Array.from({ length: GRID_POINTS }, (_, index) => {
    const meanLoops = from + ((to - from) * index) / (GRID_POINTS - 1);
    const readOff = (pick: (point: PlainPoint) => number) =>
      spread(filled.map((curve) => interpolate(curve, meanLoops, pick)));
    return {
      meanLoops,
      accuracy: readOff(({ accuracy }) => accuracy),
      ...(hasFlops && { flopsPerToken: readOff(({ flopsPerToken }) => flopsPerToken!).mean }),
    };
  });
}

/** @param points in order of mean loops, which `at` lies within up to rounding */
function interpolate(points: PlainPoint[], at: number, pick: (point: PlainPoint) => number): number {
  const right = points.findIndex(({ meanLoops }) => meanLoops >= at);
  if (right === -1) return pick(points.at(-1)!);
  const b = points[right]!;
  const a = points[right - 1];
  if (a === undefined || b.meanLoops === at) return pick(b);
  const share = (at - a.meanLoops) / (b.meanLoops - a.meanLoops);
  return pick(a) + share * (pick(b) - pick(a));
}

export function spread(values: readonly (number | undefined)[]): Spread {
  const known = values.filter((value): value is number => value !== undefined && Number.isFinite(value));
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  if (known.length < 2) return { mean };
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / (known.length - 1)) };
}

/** The adaptive result whose threshold is nearest to `tau`. */
export function adaptiveAt(part: BreakdownSummary, tau: number): AdaptiveSummary | undefined {
  return part.adaptive.toSorted((a, b) => Math.abs(a.tau - tau) - Math.abs(b.tau - tau))[0];
}
