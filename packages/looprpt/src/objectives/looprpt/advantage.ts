/**
 * Advantages: rewards relative to the other members of their group, (r − mean) / (std + ε).
 *
 * A group is a column: the G rollouts of a token, or its K loops. `token` normalises every column by itself; then whatever
 * is constant per token (b_ref, λ_t·t_ref) cancels. `batch` uses one mean and one deviation for the whole table, so that the
 * teacher's reference counts; `none` takes the rewards as they are. No gradient.
 *
 * The batch of a data-parallel step is that of all ranks: their sums are added up, always in the same number of rounds, so that
 * a rank whose rows have nothing to learn from can join in (`joinBatchStatistics`).
 *
 * Shapes: G group members, K loops, M tokens.
 */
import { full, type Tensor } from '@looprpt/engine';
import { ALONE, type Peers } from '../peers.js';
import type { LoopRptConfig } from './config.js';

/** Normalised rewards, [G, M] → [G, M]. */
export function advantages(rewardsGM: Tensor, config: LoopRptConfig, peers: Peers = ALONE): Tensor {
  const { advantage, advantageEpsilon, stdCorrection } = config;
  switch (advantage) {
    case 'none':
      return rewardsGM;
    case 'token':
      return scaled(rewardsGM, rewardsGM.mean(0), rewardsGM.size(0), stdCorrection, advantageEpsilon, 0);
    case 'batch':
      if (peers.size > 1) return scaledOverRanks(rewardsGM, config, peers);
      return scaled(rewardsGM, rewardsGM.mean(), rewardsGM.numel, stdCorrection, advantageEpsilon, undefined);
    default:
      return advantage satisfies never;
  }
}

function scaled(
  rewards: Tensor,
  mean: Tensor,
  n: number,
  correction: number,
  epsilon: number,
  dim: number | undefined,
): Tensor {
  const centred = rewards.sub(mean);
  // A single member has no deviation; its centred reward is 0 whatever it is divided by.
  const std = centred
    .square()
    .sum(dim)
    .div(Math.max(1, n - correction))
    .sqrt();
  return centred.div(std.add(epsilon));
}

function scaledOverRanks(rewardsGM: Tensor, { advantageEpsilon, stdCorrection }: LoopRptConfig, peers: Peers): Tensor {
  const [sum, n] = peers.sums([rewardsGM.sum().item(), rewardsGM.numel]) as [number, number];
  const centred = rewardsGM.sub(sum / n);
  const [squares] = peers.sums([centred.square().sum().item(), 0]) as [number, number];
  return centred.div(Math.sqrt(squares / Math.max(1, n - stdCorrection)) + advantageEpsilon);
}

/** The settings with which A' is normalised. */
export function ofStepAdvantages(config: LoopRptConfig): LoopRptConfig {
  return { ...config, advantage: config.stepAdvantage ?? config.advantage };
}

/** What a rank does that has no hard token while the others form the advantages of a step, policy and representation. */
export function joinBatchStatistics(config: LoopRptConfig, peers: Peers): void {
  if (peers.size === 1) return;
  for (const { advantage } of [config, ofStepAdvantages(config)])
    for (let round = 0; advantage === 'batch' && round < 2; round++) peers.sums([0, 0]);
}

/** The same with mean and variance as expectations under π [K, M]; over the batch, tokens count equally. */
export function advantagesUnderPolicy(
  rewardsKM: Tensor,
  pdfKM: Tensor,
  config: LoopRptConfig,
  peers: Peers = ALONE,
): Tensor {
  const expected = (valuesKM: Tensor): Tensor => {
    const perTokenM = valuesKM.mul(pdfKM).sum(0);
    if (config.advantage !== 'batch') return perTokenM;
    if (peers.size === 1) return perTokenM.mean();
    const [sum, M] = peers.sums([perTokenM.sum().item(), perTokenM.numel]) as [number, number];
    return full([], sum / M, { dtype: perTokenM.dtype, device: perTokenM.device });
  };
  if (config.advantage === 'none') return rewardsKM;
  const centredKM = rewardsKM.sub(expected(rewardsKM));
  return centredKM.div(expected(centredKM.square()).sqrt().add(config.advantageEpsilon));
}
