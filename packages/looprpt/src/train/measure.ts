/**
 * From an objective's report to the numbers that are logged.
 *
 * Shapes: K loops, N places, G members of a group.
 */
import { cat, noGrad, type Tensor } from '@looprpt/engine';
import type { ObjectiveReport } from '../objectives/contract.js';

/** The measurements of one or more micro-batches, weighted by their counted places. */
export interface Measurement {
  loss: number;
  parts: Record<string, number>;
  exitHistogram: number[];
  exitEntropy: number;
  meanLoops: number;
  rewardByLoop?: number[];
  advantageSpread?: number;
  noSpreadShare?: number;
}

/** Rewards of a group that differ by less than this, nats, have no spread. */
const NO_SPREAD = 1e-6;

export function measure({ loss, parts, exitPdfKN, rewardKN, groupRewardsGN }: ObjectiveReport): Measurement {
  return noGrad(() => {
    const names = Object.keys(parts);
    const spread = groupRewardsGN ? spreadOf(groupRewardsGN) : [];
    const read = readTogether([
      loss,
      ...Object.values(parts),
      exitPdfKN.mul(exitPdfKN.clamp(1e-30).log()).sum(0).mean().neg(),
      exitPdfKN.mean(1),
      ...(rewardKN ? [rewardKN.mean(1)] : []),
      ...spread,
    ]);
    const one = (): number => read.next().value![0]!;
    const exit = { loss: one(), parts: Object.fromEntries(names.map((name) => [name, one()])), exitEntropy: one() };
    const exitHistogram = read.next().value!;
    return {
      ...exit,
      exitHistogram,
      meanLoops: exitHistogram.reduce((sum, share, k) => sum + share * (k + 1), 0),
      ...(rewardKN ? { rewardByLoop: read.next().value! } : {}),
      ...(groupRewardsGN ? { advantageSpread: one(), noSpreadShare: one() } : {}),
    };
  });
}

/** The values of scalars and vectors, tensor by tensor, with one wait for the device. */
function* readTogether(tensors: readonly Tensor[]): Generator<number[], undefined> {
  const flat = tensors.map((tensor) => tensor.reshape(-1));
  const numbers = cat(flat.map((tensor) => tensor.to({ dtype: 'float64' }))).toNumbers();
  let at = 0;
  for (const { numel } of flat) {
    yield Array.from(numbers.subarray(at, at + numel));
    at += numel;
  }
}

/** Mean deviation within a group, and the share of groups without one. */
function spreadOf(groupRewardsGN: Tensor): Tensor[] {
  const stdN = groupRewardsGN.std(0);
  return [stdN.mean(), stdN.lt(NO_SPREAD).to({ dtype: 'float32' }).mean()];
}

/** The mean of measurements with the given weights, which sum to 1. */
export function combine(measurements: readonly Measurement[], weights: readonly number[]): Measurement {
  const first = measurements[0]!;
  if (measurements.length === 1) return first;
  const mean = (pick: (m: Measurement) => number): number =>
    measurements.reduce((sum, m, i) => sum + pick(m) * weights[i]!, 0);
  const { rewardByLoop } = first;
  return {
    loss: mean((m) => m.loss),
    parts: Object.fromEntries(Object.keys(first.parts).map((name) => [name, mean((m) => m.parts[name]!)])),
    exitHistogram: first.exitHistogram.map((_, k) => mean((m) => m.exitHistogram[k]!)),
    exitEntropy: mean((m) => m.exitEntropy),
    meanLoops: mean((m) => m.meanLoops),
    ...(rewardByLoop ? { rewardByLoop: rewardByLoop.map((_, k) => mean((m) => m.rewardByLoop![k]!)) } : {}),
    ...(first.advantageSpread === undefined
      ? {}
      : {
          advantageSpread: mean((m) => m.advantageSpread!),
          noSpreadShare: mean((m) => m.noSpreadShare!),
        }),
  };
}
