/**
 * Step 4 of LoopRPT: what exiting at each loop is worth, without gradient.
 *
 *   R(k) = [ℓ_θ^(k) − b_ref] − λ_t (k − t_ref),   λ_t = λ_base (1 + λ_scale (1 − d_t)),   d_t = clamp(H_t / log|V|, 0, 1)
 *
 * Shapes: K loops, M hard tokens, G rollouts.
 */
import { arange, type Tensor } from '@looprpt/engine';
import type { LoopRptConfig } from './config.js';

/** What the teacher fixes for every hard token. */
export interface RewardTerms {
  /** b_ref = ℓ_θ̄^(t_ref), [M] */
  baselineM: Tensor;
  /** λ_t, nats per loop, [M] */
  timePenaltyM: Tensor;
  /** t_ref from 0, [M] */
  referenceStepM: Tensor;
}

/** λ_t from the teacher's entropies [M]: an easy token pays more for each further loop. */
export function timePenalty(entropyM: Tensor, vocabSize: number, { lambdaBase, lambdaScale }: LoopRptConfig): Tensor {
  const difficultyM = entropyM.div(Math.log(vocabSize)).clamp(0, 1);
  return difficultyM.rsub(1).mul(lambdaScale).add(1).mul(lambdaBase);
}

/** The reward of exiting at loop `step` (from 0) with log-probability ℓ; all three broadcast against [M]. */
export function rewardOf(
  logProb: Tensor,
  step: Tensor,
  { baselineM, timePenaltyM, referenceStepM }: RewardTerms,
): Tensor {
  return logProb.sub(baselineM).sub(step.sub(referenceStepM).mul(timePenaltyM));
}

/** The table R(k), [K, M]. */
export function rewardTable(logProbsKM: Tensor, terms: RewardTerms): Tensor {
  const stepK1 = arange(0, logProbsKM.size(0), { device: logProbsKM.device }).unsqueeze(1);
  return rewardOf(logProbsKM.detach(), stepK1, terms);
}
