/**
 * Reference distillation, an addition of ours to the algorithm: every loop of the student learns the whole distribution that the
 * teacher has at its reference.
 *
 *   L_ref = mean_k KL( p_θ̄^(r) ‖ p_θ^(k) ),  r = K or t_ref
 *
 * A reward sees one number of the reference, ℓ_θ̄^(t_ref) of the true token, and the normalised advantages cancel even that. The
 * divergence does not cancel: it pulls early loops towards what the model knows at depth and holds the deep ones where
 * they are, which on a finite corpus is what keeps labels from being learnt by heart.
 *
 * The V-sized distributions exist for a chunk of places at a time, and the chunk's gradient is taken before the next one's are made.
 *
 * Shapes: B rows, T places, E hidden, V vocabulary, K loops, M hard tokens, C places of a chunk.
 */
import { backward, cat, enableGrad, linear, noGrad, scope, stack, type Tensor } from '@looprpt/engine';
import { atStep } from '../../model/exit.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { atPlaces, inFloat32 } from '../readout.js';

/** Student logits that may exist at once, over all loops: 64 MiB in float32, and a few times that in between. */
export const CHUNK_LOGITS = 2 ** 24;

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

/**
 * L_ref; a scalar with gradient into the student's states and LM head.
 * @param studentStatesK K × [B, T, E]
 * @param referenceME the teacher's states at its reference
 */
export function referenceDistillationLoss(
  student: LoopLM,
  studentStatesK: readonly Tensor[],
  teacher: LoopLM,
  referenceME: Tensor,
  placesM: Tensor,
  chunkLogits = CHUNK_LOGITS,
): Tensor {
  const statesKME = stack(studentStatesK.map((hiddenBTE) => atPlaces(hiddenBTE, placesM)));
  const headVE = student.weights.head;
  const targets = (referenceCE: Tensor): Tensor => noGrad(() => inFloat32(teacher.logits(referenceCE)).logSoftmax(-1));
  const size = Math.max(1, Math.floor(chunkLogits / (student.config.loops * student.config.vocabSize)));
  if (size >= referenceME.size(0)) return divergence(statesKME, headVE, targets(referenceME)).mean();
  const pairs = statesKME.size(0) * statesKME.size(1);
  // The gradient of each chunk is taken at once, so that its distributions can go; they are never kept for the backward pass.
  const statesLeafKME = leafOf(statesKME);
  const headLeafVE = leafOf(headVE);
  const divergencesKC = enableGrad(() =>
    referenceME.split(size).map((referenceCE, i) =>
      scope(() => {
        const statesKCE = statesLeafKME.slice(1, i * size, i * size + referenceCE.size(0));
        const divergenceKC = divergence(statesKCE, headLeafVE, targets(referenceCE));
        backward(divergenceKC.sum().div(pairs));
        return divergenceKC.detach();
      }),
    ),
  );
  return withGradients(cat(divergencesKC, 1).mean(), [
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

/** KL per loop and place, from states [K, C, E], the student's head [V, E] and the teacher's log-probabilities [C, V] → [K, C]. */
function divergence(statesKCE: Tensor, headVE: Tensor, targetCV: Tensor): Tensor {
  const logProbsKCV = inFloat32(linear(statesKCE, headVE)).logSoftmax(-1);
  return targetCV.exp().mul(targetCV.sub(logProbsKCV)).sum(-1);
}
