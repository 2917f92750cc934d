/**
 * Advantages: rewards relative to the other members of their group, (r − mean) / (std + ε).
 *
 * A group is a column: the G rollouts of a token, or its K loops. `token` normalises every column by itself; then whatever
 * is constant per token (b_ref, λ_t·t_ref) cancels. `batch` uses one mean and one deviation for the whole table, so that the
 * teacher's reference counts; `none` takes the rewards as they are. No gradient.
 *
 * Shapes: G group members, K loops, M tokens.
 */
import type { Tensor } from '@looprpt/engine';
import type { LoopRptConfig } from './config.js';

/** Normalised rewards, [G, M] → [G, M]. */
export function advantages(rewardsGM: Tensor, config: LoopRptConfig): Tensor {
  const { advantage, advantageEpsilon, stdCorrection } = config;
  switch (advantage) {
    case 'none':
      return rewardsGM;
    case 'token':
      return scaled(rewardsGM, rewardsGM.mean(0), rewardsGM.size(0), stdCorrection, advantageEpsilon, 0);
    case 'batch':
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

/** The same with mean and variance as expectations under π [K, M]; over the batch, tokens count equally. */
export function advantagesUnderPolicy(rewardsKM: Tensor, pdfKM: Tensor, config: LoopRptConfig): Tensor {
  const expected = (valuesKM: Tensor): Tensor => {
    const perTokenM = valuesKM.mul(pdfKM).sum(0);
    return config.advantage === 'batch' ? perTokenM.mean() : perTokenM;
  };
  if (config.advantage === 'none') return rewardsKM;
  const centredKM = rewardsKM.sub(expected(rewardsKM));
  return centredKM.div(expected(centredKM.square()).sqrt().add(config.advantageEpsilon));
}
