/**
 * What states say about the vocabulary: log-probabilities of given tokens, and entropies. Only for the places that a loss
 * needs, and a loop at a time, so that B·T·K·V numbers never exist at once.
 *
 * Shapes: B rows, T places, N chosen places, E hidden, V vocabulary, K loops.
 */
import {
  cat,
  fusedNextTokenEntropy,
  fusedSupports,
  fusedTargetLogProb,
  noGrad,
  stack,
  type Tensor,
} from '@looprpt/engine';
import type { LoopLM } from '../model/loop-lm.js';

/** Rows of [B, T, E] at flat places [N] → [N, E]. */
export function atPlaces(hiddenBTE: Tensor, placesN: Tensor): Tensor {
  return hiddenBTE.reshape(-1, hiddenBTE.size(-1)).indexSelect(0, placesN);
}

/** ℓ: log-probability of `targetsN` under the head at states [N, E] → float32 [N]. */
export function targetLogProbs(model: LoopLM, hiddenNE: Tensor, targetsN: Tensor): Tensor {
  if (model.kernels === 'fused' && fusedSupports(hiddenNE))
    return fusedTargetLogProb(hiddenNE, model.weights.head, targetsN);
  const logitsNV = inFloat32(model.logits(hiddenNE));
  return logitsNV.logSoftmax(-1).gather(1, targetsN.unsqueeze(1)).squeeze(1);
}

/** ℓ^(k) at every loop → [K, N]. */
export function targetLogProbsByLoop(
  model: LoopLM,
  statesK: readonly Tensor[],
  placesN: Tensor,
  targetsN: Tensor,
): Tensor {
  return stack(statesK.map((hiddenBTE) => targetLogProbs(model, atPlaces(hiddenBTE, placesN), targetsN)));
}

/** Gate logits at chosen places of every loop, in float32 → [K, N]. With `detached`, gradients stop at the gate. */
export function gateLogitsByLoop(
  model: LoopLM,
  statesK: readonly Tensor[],
  placesN: Tensor,
  detached: boolean,
): Tensor {
  return stack(
    statesK.map((hiddenBTE) => {
      const hiddenNE = atPlaces(hiddenBTE, placesN);
      return inFloat32(model.gateLogits(detached ? hiddenNE.detach() : hiddenNE));
    }),
  );
}

const ENTROPY_ROWS = 4096;

/** H of the next-token distribution, nats, at states [N, E] → float32 [N]; no gradient. */
export function nextTokenEntropy(model: LoopLM, hiddenNE: Tensor): Tensor {
  if (model.kernels === 'fused' && fusedSupports(hiddenNE)) return fusedNextTokenEntropy(hiddenNE, model.weights.head);
  return noGrad(() =>
    cat(
      hiddenNE.split(ENTROPY_ROWS).map((rows) => {
        const logProbsRV = inFloat32(model.logits(rows)).logSoftmax(-1);
        return logProbsRV.exp().mul(logProbsRV).sum(-1).neg();
      }),
    ),
  );
}

/** Losses and softmaxes are computed in float32 at least. */
export function inFloat32(x: Tensor): Tensor {
  return x.dtype === 'float32' || x.dtype === 'float64' ? x : x.to({ dtype: 'float32' });
}
