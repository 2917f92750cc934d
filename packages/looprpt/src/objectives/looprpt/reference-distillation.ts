/**
 * Reference distillation, an addition of ours to the algorithm: every loop of the student learns the whole distribution that the
 * teacher has at its reference.
 *
 *   L_ref = Σ_k d_k KL( p_θ̄^(r) ‖ p_θ^(k) ),  r = K or t_ref,  d_K = `distillAnchor`, d_k<K = (1 − d_K)/(K − 1); or all alike
 *
 * A reward sees one number of the reference, ℓ_θ̄^(t_ref) of the true token, and the normalised advantages cancel even that. The
 * divergence does not cancel: it pulls early loops towards what the model knows at depth and holds the deep ones where
 * they are, which on a finite corpus is what keeps labels from being learnt by heart. At the last loop it is a trust region over the whole
 * vocabulary; loops share their weights, so without much of it there the early loops improve at the deep ones' cost.
 *
 * The V-sized distributions exist for a chunk of places at a time, and the chunk's gradient is taken before the next one's are made.
 *
 * Shapes: B rows, T places, E hidden, V vocabulary, K loops, M hard tokens, C places of a chunk.
 */
import { backward, cat, enableGrad, noGrad, scope, stack, type Tensor, tensor } from '@looprpt/engine';
import { atStep } from '../../model/exit.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { atPlaces, inFloat32 } from '../readout.js';
import { CHUNK_LOGITS, logProbsOf, type StudentReading, statesAt } from './student-reading.js';

/** The teacher's states at its reference, [M, E]. */
export function referenceStates(
  teacherStatesK: readonly Tensor[],
  placesM: Tensor,
  at: 'last' | 'reference',
  referenceStepM: Tensor,
): Tensor {
  if (at === 'last') return atPlaces(teacherStatesK.at(-1)!, placesM);
  const statesKME = stack(teacherStatesK.map((hiddenBTE) => atPlaces(hiddenBTE, placesM)));
  return atStep(statesKME, referenceStepM.unsqueeze(-1).expand(-1, statesKME.size(-1)));
}

/** d_k, [K, 1] beside `like`'s dtype and device. */
export function distillationShares(K: number, anchor: number | null, like: Tensor): Tensor {
  const others = anchor === null || K === 1 ? 1 / K : (1 - anchor) / (K - 1);
  const shares = Array.from({ length: K }, (_, k) => (k === K - 1 && anchor !== null && K > 1 ? anchor : others));
  return tensor(shares, { dtype: like.dtype, device: like.device }).view(K, 1);
}

/** What is distilled. */
export interface Distilled {
  /** The teacher's states at its reference, [M, E]. */
  statesME: Tensor;
  /** log p_θ̄^(r) of every word, [M, V], where it has been read already. */
  logProbsMV: Tensor | null;
}

/**
 * L_ref; a scalar with gradient into the student's states and LM head.
 * @param sharesK1 d_k, [K, 1]
 */
export function referenceDistillationLoss(
  student: LoopLM,
  { statesK, placesM, logProbsKMV }: StudentReading,
  teacher: LoopLM,
  { statesME: referenceME, logProbsMV }: Distilled,
  sharesK1: Tensor,
  chunkLogits = CHUNK_LOGITS,
): Tensor {
  const targets = (referenceCE: Tensor): Tensor => noGrad(() => inFloat32(teacher.logits(referenceCE)).logSoftmax(-1));
  if (logProbsKMV)
    return sharesK1
      .mul(divergence(logProbsKMV, logProbsMV ?? targets(referenceME)))
      .sum(0)
      .mean();
  const statesKME = statesAt(statesK, placesM);
  const headVE = student.weights.head;
  const size = Math.max(1, Math.floor(chunkLogits / (student.config.loops * student.config.vocabSize)));
  const M = statesKME.size(1);
  // The gradient of each chunk is taken at once, so that its distributions can go; they are never kept for the backward pass.
  const statesLeafKME = leafOf(statesKME);
  const headLeafVE = leafOf(headVE);
  const divergencesKC = enableGrad(() =>
    referenceME.split(size).map((referenceCE, i) =>
      scope(() => {
        const statesKCE = statesLeafKME.slice(1, i * size, i * size + referenceCE.size(0));
        const divergenceKC = sharesK1.mul(divergence(logProbsOf(statesKCE, headLeafVE), targets(referenceCE)));
        backward(divergenceKC.sum().div(M));
        return divergenceKC.detach();
      }),
    ),
  );
  return withGradients(cat(divergencesKC, 1).sum(0).mean(), [
    [statesKME, statesLeafKME.grad!],
    [headVE, headLeafVE.grad!],
  ]);
}

function leafOf(tensor: Tensor): Tensor {
  const leaf = tensor.detach();
  leaf.requiresGrad = true;
  return leaf;
}

/** `value`, whose gradient at each tensor is the one given. */
function withGradients(value: Tensor, at: readonly [Tensor, Tensor][]): Tensor {
  const products = at.map(([tensor, gradient]) => tensor.mul(gradient).sum());
  return products.reduce((sum, product) => sum.add(product.sub(product.detach())), value);
}

/** KL per loop and place, from the student's log-probabilities [K, C, V] and the teacher's [C, V] → [K, C]. */
function divergence(logProbsKCV: Tensor, targetCV: Tensor): Tensor {
  return targetCV.exp().mul(targetCV.sub(logProbsKCV)).sum(-1);
}
