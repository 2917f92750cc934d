/**
 * What hidden states say: log-probabilities of tokens, entropies, gate logits. Only at the places that are asked for, and of one
 * loop after the other, so that B·T·K·V logits never exist at once; without gradients in pieces of a bounded number of logits.
 *
 * Shapes: B rows, T places, N chosen places, C places of a piece, E hidden, V vocabulary, K loops.
 */
import {
  cat,
  fusedNextTokenEntropy,
  fusedSupports,
  fusedTargetLogProb,
  noGrad,
  scope,
  stack,
  type Tensor,
} from '@looprpt/engine';
import { atStep } from './exit.js';
import type { LoopLM } from './loop-lm.js';

/** Logits in memory at once unless told: 32 MiB in float32, and a few times that in between. */
export const MAX_LOGITS = 2 ** 23;

/** Rows of [B, T, E] at flat places [N] → [N, E]. */
export function atPlaces(hiddenBTE: Tensor, placesN: Tensor): Tensor {
  return hiddenBTE.reshape(-1, hiddenBTE.size(-1)).indexSelect(0, placesN);
}

/** Of states K × [..., E] those after loop `step` (from 0), int64 [...] → [..., E]. */
export function statesAtStep(statesK: readonly Tensor[], step: Tensor): Tensor {
  const E = statesK[0]!.size(-1);
  return atStep(stack([...statesK]), step.unsqueeze(-1).expand(...step.shape, E));
}

/** ℓ: log-probability of `targetsN` under the head at states [N, E] → float32 [N]. */
export function targetLogProbs(model: LoopLM, hiddenNE: Tensor, targetsN: Tensor): Tensor {
  if (hasFusedReadOut(model, hiddenNE)) return fusedTargetLogProb(hiddenNE, model.weights.head, targetsN);
  return atIds(logProbsOf(model.logits(hiddenNE)), targetsN);
}

function hasFusedReadOut({ kernels, stored }: LoopLM, hiddenNE: Tensor): boolean {
  return kernels === 'fused' && stored === null && fusedSupports(hiddenNE);
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

/** H of the next-token distribution, nats, at states [N, E] → float32 [N]; no gradient. */
export function nextTokenEntropy(model: LoopLM, hiddenNE: Tensor): Tensor {
  if (hasFusedReadOut(model, hiddenNE)) return fusedNextTokenEntropy(hiddenNE, model.weights.head);
  return cat(inPieces(model, hiddenNE, (logitsCV) => entropyOf(logProbsOf(logitsCV))));
}

/**
 * The logits of states [N, E] piece by piece, without gradients; what `body` makes of one is freed but for its result.
 * @param body logits [C, V] in float32 at least, and the first of their places
 * @param maxLogits most of them at once
 */
export function inPieces<T>(
  model: LoopLM,
  hiddenNE: Tensor,
  body: (logitsCV: Tensor, from: number) => T,
  maxLogits: number = MAX_LOGITS,
): T[] {
  const size = Math.max(1, Math.floor(maxLogits / model.weights.head.size(0)));
  const pieces = Math.max(1, Math.ceil(hiddenNE.size(0) / size));
  const logits = (from: number): Tensor =>
    inFloat32(model.logits(hiddenNE.slice(0, from, Math.min(from + size, hiddenNE.size(0)))));
  return noGrad(() => Array.from({ length: pieces }, (_, i) => scope(() => body(logits(i * size), i * size))));
}

/** log softmax of logits [..., V], in float32 at least. */
export function logProbsOf(logits: Tensor): Tensor {
  return inFloat32(logits).logSoftmax(-1);
}

/** Entries of [..., V] at int64 ids [...] → [...]. */
export function atIds(values: Tensor, ids: Tensor): Tensor {
  return values.gather(-1, ids.unsqueeze(-1)).squeeze(-1);
}

/** Probability of the likeliest token, from log-probabilities [..., V] → [...]. */
export function confidenceOf(logProbs: Tensor): Tensor {
  return logProbs.amax(-1).exp();
}

/** H, nats, of distributions from their log-probabilities [..., V] → [...]; no gradient. */
export function entropyOf(logProbs: Tensor): Tensor {
  return noGrad(() => logProbs.exp().mul_(logProbs).sum(-1).neg());
}

/** Losses and softmaxes are computed in float32 at least. */
export function inFloat32(x: Tensor): Tensor {
  return x.dtype === 'float32' || x.dtype === 'float64' ? x : x.to({ dtype: 'float32' });
}
