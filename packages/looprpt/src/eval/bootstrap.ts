/**
 * Paired bootstrap between two models on the same tokens: whole documents are drawn with replacement, for both models the
 * same ones, because the tokens of a document are not independent and both models find the same ones hard.
 *
 * Exit thresholds are chosen once, from all tokens. The interval is the percentile interval of the resampled differences. From
 * few documents such an interval is too narrow to mean what it says, so there is none.
 */
import assert from 'node:assert/strict';
import { Rng } from '../base/rng.js';
import { areaUnder } from './area.js';
import { crossFittedCredit } from './frontier.js';
import type { ComparisonResult } from './result.js';
import { GRID_POINTS, thresholdSettings } from './rule-curves.js';
import { type Exits, exitsAt } from './score.js';
import type { TokenTable } from './token-table.js';

export interface BootstrapOptions {
  /** Default 1000. */
  resamples?: number;
  /** Default 0. */
  seed?: number;
  /** Coverage of the interval; default 0.95. */
  level?: number;
  /** Fewest documents that an interval is taken from; default `FEWEST_DOCUMENTS`. */
  fewest?: number;
  /** Points of the gate's curve under which the area is taken. */
  points?: number;
  /** Written behind the metric's name, such as ` (hard)`. */
  suffix?: string;
}

/**
 * Below about this many clusters percentile intervals cover clearly less than their level: with n of them the resampled variance is
 * short by a factor (n − 1) / n, and normal quantiles stand in for those of Student's t.
 */
export const FEWEST_DOCUMENTS = 20;

export interface NamedTable {
  name: string;
  table: TokenTable;
}

/**
 * a − b for `accuracy@k` and `crossEntropy@k` of every loop, and for the `area` under the gate's curve and its `frontier`; without intervals where the
 * documents are too few.
 */
export function pairedBootstrap(a: NamedTable, b: NamedTable, options: BootstrapOptions = {}): ComparisonResult[] {
  const {
    resamples = 1000,
    seed = 0,
    level = 0.95,
    points = GRID_POINTS,
    suffix = '',
    fewest = FEWEST_DOCUMENTS,
  } = options;
  assert.equal(a.table.loops, b.table.loops, 'models with different numbers of loops');
  assert.deepEqual(a.table.document, b.table.document, 'the models were evaluated on different tokens');
  const { clusters, count: C } = clusterNumbers(a.table.document);
  assert(C > 0, 'no tokens to compare on');
  const names = metricNames(a.table.loops);
  const [readA, readB] = [a, b].map(({ table }) => reader(table, clusters, C, points));
  const delta = (weights: Float64Array): Float64Array => {
    const valuesB = readB!(weights);
    return readA!(weights).map((value, i) => value - valuesB[i]!);
  };

  const whole = delta(new Float64Array(C).fill(1));
  const about = (i: number) => ({
    a: a.name,
    b: b.name,
    metric: names[i]! + suffix,
    delta: whole[i]!,
    level,
    documents: C,
  });
  if (C < fewest) {
    const reason = `no interval from ${C} ${C === 1 ? 'document' : 'documents'}: at least ${fewest} are needed`;
    return names.map((_, i) => ({ ...about(i), low: null, high: null, resamples: 0, reason }));
  }
  const drawn = names.map(() => new Float64Array(resamples));
  const rng = Rng.fromSeed(seed);
  const weights = new Float64Array(C);
  for (let r = 0; r < resamples; r++) {
    weights.fill(0);
    for (let i = 0; i < C; i++) weights[rng.below(C)]! += 1;
    delta(weights).forEach((value, i) => {
      drawn[i]![r] = value;
    });
  }
  return names.map((_, i) => {
    const sorted = drawn[i]!.sort();
    return { ...about(i), low: quantile(sorted, (1 - level) / 2), high: quantile(sorted, (1 + level) / 2), resamples };
  });
}

function metricNames(loops: number): string[] {
  const perLoop = (name: string): string[] => Array.from({ length: loops }, (_, k) => `${name}@${k + 1}`);
  return [...perLoop('accuracy'), ...perLoop('crossEntropy'), 'area', 'frontier'];
}

/** Documents numbered without gaps, from 0, as they are first met. */
function clusterNumbers(document: Int32Array): { clusters: Int32Array; count: number } {
  const numbers = new Map<number, number>();
  const clusters = document.map((value) => {
    const known = numbers.get(value) ?? numbers.size;
    numbers.set(value, known);
    return known;
  });
  return { clusters, count: numbers.size };
}

/** A function from the clusters' weights to the values of all metrics, by sums per cluster that are taken once. */
function reader(table: TokenTable, clusters: Int32Array, C: number, points: number) {
  const { tokens: N, loops: K } = table;
  const sums = (exits: Exits, value: (k: number, n: number) => number): Float64Array => {
    const perCluster = new Float64Array(C);
    for (let n = 0; n < N; n++) perCluster[clusters[n]!]! += value(exits[n]! - 1, n);
    return perCluster;
  };
  const correct = (k: number, n: number): number => table.correct[k]![n]!;
  const fixed = Array.from({ length: K }, (_, k) => exitsAt(table, k + 1));
  const tokens = sums(fixed[0]!, () => 1);
  const right = fixed.map((exits) => sums(exits, correct));
  const loss = fixed.map((exits) => sums(exits, (k, n) => -table.logProb[k]![n]!));
  const gate = thresholdSettings(table, 'gate', points).map(({ exits }) => ({
    right: sums(exits, correct),
    loops: sums(exits, (k) => k + 1),
  }));
  const credit = crossFittedCredit(table).area;
  const frontier = sums(fixed[0]!, (_, n) => credit[n]!);
  return (weights: Float64Array): Float64Array => {
    const total = dot(weights, tokens);
    const mean = (perCluster: Float64Array): number => dot(weights, perCluster) / total;
    const curve = gate.map((point) => ({ meanLoops: mean(point.loops), accuracy: mean(point.right) }));
    return Float64Array.of(...right.map(mean), ...loss.map(mean), areaUnder(curve, K), mean(frontier));
  };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Linear between the order statistics. */
export function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}
