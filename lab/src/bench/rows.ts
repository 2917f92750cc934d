/**
 * From measured steps to a row of the benchmark's table.
 *
 * Useful FLOPs are counted from the algorithm (train/plan.ts): products alone, attention over the keys that each place sees (in
 * a causal row half of them), a backward pass as two forward passes, rollouts from the second loop on because the first is the
 * clean pass's. What an implementation does beyond that (recomputation, masked halves) earns nothing.
 */
import { planRun } from 'looprpt/internal/train/plan/plan.js';
import { type BenchCase, type BenchModel, modelConfig, runConfig } from './cases.js';
import type { GroupMeasurement, ModeMeasurement, Series } from './measure.js';
import type { MatmulReply, OperatorsReply, PartTime } from './protocol.js';
import { median, type Spread, spread } from './statistics.js';

export interface SideSummary {
  seconds: Spread;
  tokensPerSecond: number;
  /** CPU seconds of all threads, of the step that took least. */
  cpuSeconds: number;
  /** Cores that other programs kept busy, on average: if it is not near 0, the seconds are too long. */
  othersBusy: number;
  peakMB: number;
  /** The same before there was a model. */
  importMB: number;
}

/** Rate of matrix products, GFLOP/s: the largest there was, and the median over time of the best shape's median. */
export interface MatmulRate {
  best: number;
  median: number;
}

export interface Row {
  model: BenchModel;
  B: number;
  T: number;
  mode: string;
  peerMode: string;
  /** The peer computes the same thing. */
  same: boolean;
  parameters: number;
  ours: SideSummary | null;
  peer: SideSummary | null;
  /** The peer's seconds over ours, step by step. */
  speedup: Spread | null;
  matmul: MatmulRate;
  /** Of one step of ours. */
  usefulGflop: number;
  /** Useful FLOPs a second as a share of the matmul rate: median step by median rate, and shortest step by best rate. */
  shareOfMatmul: { median: number; best: number } | null;
  /** Share of a step of ours spent outside the addon: in JavaScript. */
  outsideNative: number | null;
  /** The same outside libtorch's operators: with the addon's conversions. Only with a profile. */
  outsideOperators: number | null;
  parts: PartTime[];
  operators: OperatorsReply | null;
}

export function rowsOf(of: BenchCase, { modes, matmul }: GroupMeasurement): Row[] {
  const rate = matmulRate(matmul);
  return modes.map((measurement) => rowOf(of, measurement, rate));
}

function rowOf({ model, shape }: BenchCase, measured: ModeMeasurement, matmul: MatmulRate): Row {
  const { mode, parts, operators } = measured;
  const { flops, parameters } = planRun({ config: runConfig(mode.objective, shape), model: modelConfig(model) });
  const usefulGflop = flops.perStep / 1e9;
  const tokens = shape.B * shape.T;
  const ours = measured.ours && summary(measured.ours, tokens);
  return {
    model,
    B: shape.B,
    T: shape.T,
    mode: mode.name,
    peerMode: mode.peer,
    same: mode.same,
    parameters: parameters.total,
    ours,
    peer: measured.peer && summary(measured.peer, tokens),
    speedup: speedup(measured),
    matmul,
    usefulGflop,
    shareOfMatmul: ours && {
      median: usefulGflop / ours.seconds.median / matmul.median,
      best: usefulGflop / ours.seconds.min / matmul.best,
    },
    outsideNative: parts.length > 0 ? outside(parts) : null,
    outsideOperators: operators && 1 - operatorSeconds(operators) / operators.seconds,
    parts,
    operators,
  };
}

function summary({ steps }: Series, tokens: number): SideSummary {
  const seconds = spread(steps.map((step) => step.seconds));
  const last = steps.at(-1)!;
  return {
    seconds,
    tokensPerSecond: tokens / seconds.median,
    cpuSeconds: Math.min(...steps.map(({ cpu }) => cpu)),
    othersBusy: steps.reduce((sum, { others }) => sum + others, 0) / steps.length,
    peakMB: last.rss,
    importMB: last.rss_import,
  };
}

function speedup({ ours, peer }: ModeMeasurement): Spread | null {
  if (!ours || !peer) return null;
  return spread(ours.steps.map(({ seconds }, i) => peer.steps[i]!.seconds / seconds));
}

function matmulRate(replies: readonly MatmulReply[]): MatmulRate {
  const highest = (of: (reply: MatmulReply['gflops'][number]) => number) =>
    replies.map(({ gflops }) => Math.max(...gflops.map(of)));
  return { best: Math.max(...highest(({ best }) => best)), median: median(highest((shape) => shape.median)) };
}

/** The share of a profiled step that was not inside the addon. */
export function outside(parts: readonly PartTime[]): number {
  const total = parts.reduce((sum, { seconds }) => sum + seconds, 0);
  const native = parts.reduce((sum, part) => sum + part.native, 0);
  return 1 - native / total;
}

/** Time inside operators. */
export function operatorSeconds({ operators }: OperatorsReply): number {
  return operators.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000;
}
