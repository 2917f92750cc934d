/**
 * The four terms of LoopRPT's loss, steps 5 to 8, each a mean over the hard tokens.
 *
 * Shapes: K loops, M hard tokens, G rollouts. Steps t are from 0.
 */
import { type Tensor, tensor } from '@looprpt/engine';

/** Step 5: L_PG = −mean_g A^(g) log π^(g)(t^(g)), from both, [G, M]. */
export function rolloutPolicyLoss(logProbsGM: Tensor, advantagesGM: Tensor): Tensor {
  return advantagesGM.mul(logProbsGM).mean().neg();
}

/** Step 5 in closed form, all K actions at once: L_PG = −Σ_k π(k) A(k); its gradient is the expectation of the sampled one. */
export function closedPolicyLoss(pdfKM: Tensor, advantagesKM: Tensor): Tensor {
  return pdfKM.mul(advantagesKM).sum(0).mean().neg();
}

/** A distribution over loops that is the same for every token, [K, 1] beside π [K, M]: uniform, in proportion to k, or loop 1 alone. */
export function loopProfile(kind: 'uniform' | 'depth' | 'first', pdfKM: Tensor): Tensor {
  const K = pdfKM.size(0);
  const height = { uniform: () => 1, depth: (k: number) => k + 1, first: (k: number) => Number(k === 0) }[kind];
  const heights = Array.from({ length: K }, (_, k) => height(k));
  const total = heights.reduce((sum, height) => sum + height, 0);
  return tensor(heights, { dtype: pdfKM.dtype, device: pdfKM.device }).div(total).view(K, 1);
}

/** Step 6: L_rep = −Σ_k w_k ℓ^(k) with w_k = π(k) (1 + κ relu(A'(k))); κ = 1 as in the paper, or one for each token, [M]. */
export function representationLoss(
  pdfKM: Tensor,
  stepAdvantagesKM: Tensor,
  logProbsKM: Tensor,
  kappa: number | Tensor = 1,
): Tensor {
  const weightsKM = stepAdvantagesKM.relu().mul(kappa).add(1).mul(pdfKM);
  return weightsKM.mul(logProbsKM).sum(0).mean().neg();
}

/** Step 7: L_ent = −H(π) = Σ_k π(k) log π(k). */
export function exitEntropyLoss(logPdfKM: Tensor): Tensor {
  return logPdfKM.exp().mul(logPdfKM).sum(0).mean();
}

/** Step 8: the K3 estimator per loop, mean_k [exp(ρ_k) − 1 − ρ_k] with ρ_k = ℓ_θ̄^(k) − ℓ_θ^(k); of shapes that broadcast. */
export function trustRegionLoss(teacherLogProbsKM: Tensor, logProbsKM: Tensor): Tensor {
  const logRatioKM = teacherLogProbsKM.sub(logProbsKM);
  return logRatioKM.exp().sub(1).sub(logRatioKM).mean();
}
