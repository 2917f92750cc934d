/**
 * The Pareto frontier of an exit rule: the best accuracy at no more than d mean loops, and its mean over d from 1 to K.
 *
 * The plain area (area.ts) also averages over thresholds that nobody would choose, which cost more loops and are less accurate. Here every
 * d has the best threshold that costs at most d. Which one that is, is chosen on one set of tokens and judged on another, so that a maximum
 * over noise does not count as a gain.
 */
import type { CurvePoint } from './area.js';
import { scoreAt } from './score.js';
import { evenThresholds, exitsBySignal } from './thresholds.js';
import { selectTokens, type TokenTable } from './token-table.js';

/** Mean loops at which accuracies within a budget are shown: one and a half, two. */
export const BUDGETS_SHOWN: readonly number[] = [1.5, 2];

/** Points of the gate's curve by default, as for its area. */
const POINTS = 33;

/**
 * By point, the share of budgets d, even over 1..K, at which it is the most accurate of those that cost at most d; they add up to 1. The
 * cheapest point also stands for budgets below it.
 */
export function frontierShares(points: readonly CurvePoint[], loops: number): number[] {
  const shares = points.map(() => 0);
  const order = ascending(points);
  let best = order[0]!;
  let from = 1;
  for (const i of order) {
    if (points[i]!.accuracy <= points[best]!.accuracy) continue;
    const at = Math.min(Math.max(points[i]!.meanLoops, from), loops);
    shares[best]! += at - from;
    [best, from] = [i, at];
  }
  shares[best]! += loops - from;
  return loops === 1 ? shares.map((_, i) => Number(i === best)) : shares.map((share) => share / (loops - 1));
}

/** The point that is best among those that cost at most so many mean loops; the cheapest where none does. */
export function chosenWithin(points: readonly CurvePoint[], budget: number): number {
  const order = ascending(points);
  return order.reduce(
    (best, i) => (points[i]!.meanLoops <= budget && points[i]!.accuracy > points[best]!.accuracy ? i : best),
    order[0]!,
  );
}

/** Mean accuracy over budgets 1..K of the points' own frontier: for where nothing is judged by it but the choice of a setting. */
export function frontierArea(points: readonly CurvePoint[], loops: number): number {
  return frontierShares(points, loops).reduce((sum, share, i) => sum + share * points[i]!.accuracy, 0);
}

function ascending(points: readonly CurvePoint[]): number[] {
  return points
    .map((_, i) => i)
    .sort((a, b) => points[a]!.meanLoops - points[b]!.meanLoops || points[b]!.accuracy - points[a]!.accuracy || a - b);
}

/** The gate's thresholds that make a frontier, as some tokens would have them. */
export interface FrontierChoice {
  /** Those with a share, ascending. */
  thresholds: { threshold: number; share: number }[];
  /** The best threshold for a budget of mean loops. */
  within: { loops: number; threshold: number }[];
}

/** @param budgets of mean loops, for `within` */
export function chooseFrontier(
  table: TokenTable,
  { points = POINTS, budgets = BUDGETS_SHOWN }: { points?: number; budgets?: readonly number[] } = {},
): FrontierChoice {
  const thresholds = evenThresholds(table.exitCdf, points);
  const curve = thresholds.map((threshold) => scoreAt(table, exitsBySignal(table.exitCdf, threshold)));
  const shares = frontierShares(curve, table.loops);
  return {
    thresholds: thresholds.flatMap((threshold, i) => (shares[i]! > 0 ? [{ threshold, share: shares[i]! }] : [])),
    within: budgets
      .filter((loops) => loops < table.loops)
      .map((loops) => ({ loops, threshold: thresholds[chosenWithin(curve, loops)]! })),
  };
}

/** Per token, how right a choice is there: over the budgets 1..K, and within each of those shown. Their means are accuracies. */
export interface FrontierCredit {
  area: Float64Array;
  within: { loops: number; right: Float64Array }[];
}

export function creditOf(table: TokenTable, { thresholds, within }: FrontierChoice): FrontierCredit {
  const area = new Float64Array(table.tokens);
  const add = (to: Float64Array, threshold: number, share: number): Float64Array => {
    const exits = exitsBySignal(table.exitCdf, threshold);
    for (let n = 0; n < table.tokens; n++) to[n]! += share * table.correct[exits[n]! - 1]![n]!;
    return to;
  };
  for (const { threshold, share } of thresholds) add(area, threshold, share);
  return {
    area,
    within: within.map(({ loops, threshold }) => ({ loops, right: add(new Float64Array(table.tokens), threshold, 1) })),
  };
}

/**
 * Where one set of tokens is all there is: thresholds are chosen on every second document and judged on the others, both ways round. A
 * single document is its own judge.
 */
export function crossFittedCredit(table: TokenTable): FrontierCredit {
  const halves = halvesOf(table);
  const credits = halves.map((indices, i) => ({
    indices,
    credit: creditOf(selectTokens(table, indices), chooseFrontier(selectTokens(table, halves[1 - i] ?? indices))),
  }));
  const joined = (pick: (credit: FrontierCredit) => Float64Array): Float64Array => {
    const all = new Float64Array(table.tokens);
    for (const { indices, credit } of credits) for (const [i, n] of indices.entries()) all[n] = pick(credit)[i]!;
    return all;
  };
  return {
    area: joined(({ area }) => area),
    within: credits[0]!.credit.within.map(({ loops }, i) => ({
      loops,
      right: joined(({ within }) => within[i]!.right),
    })),
  };
}

/** Indices of the tokens of every second document, and of the others; all in one where there is one document. */
function halvesOf({ document }: TokenTable): number[][] {
  const numbers = new Map<number, number>();
  for (const one of document) if (!numbers.has(one)) numbers.set(one, numbers.size);
  const tokens = Array.from(document.keys());
  if (numbers.size < 2) return [tokens];
  return [0, 1].map((half) => tokens.filter((n) => numbers.get(document[n]!)! % 2 === half));
}
