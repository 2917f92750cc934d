/**
 * From an objective's report to the numbers that are logged.
 *
 * Shapes: K loops, N places, G members of a group.
 */
import { noGrad, type Tensor } from '@looprpt/engine';
import type { ObjectiveReport } from '../objectives/report.js';

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
    const exitHistogram = Array.from(exitPdfKN.mean(1).toNumbers());
    const entropy = (pdf: Tensor): number => -pdf.mul(pdf.clamp(1e-30).log()).sum(0).mean().item();
    return {
      loss: loss.item(),
      parts: Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, value.item()])),
      exitHistogram,
      exitEntropy: entropy(exitPdfKN),
      meanLoops: exitHistogram.reduce((sum, share, k) => sum + share * (k + 1), 0),
      ...(rewardKN ? { rewardByLoop: Array.from(rewardKN.mean(1).toNumbers()) } : {}),
      ...(groupRewardsGN ? spread(groupRewardsGN) : {}),
    };
  });
}

function spread(groupRewardsGN: Tensor): { advantageSpread: number; noSpreadShare: number } {
  const stdN = groupRewardsGN.std(0);
  const flat = stdN.lt(NO_SPREAD).to({ dtype: 'float32' });
  return { advantageSpread: stdN.mean().item(), noSpreadShare: flat.mean().item() };
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
