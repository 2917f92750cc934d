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
 * No distribution of the student's is made for it. Logits are linear in the state, so with the head's rows W, the true token's row w_y,
 * the mean row u = Σ_v p_θ̄(v) W_v under the teacher, and Σ_k d_k = 1,
 *
 *   L_ref = −H(p_θ̄) − Σ_k d_k ℓ^(k) + (w_y − u) · Σ_k d_k h^(k)
 *
 * where ℓ^(k) has been read for the rewards already: the labels' loss, turned from one word towards the teacher's mean word. What has the
 * size of the vocabulary is the teacher's alone, exists for a chunk of places at a time, and its gradient is taken before the next one's.
 *
 * Shapes: B rows, T places, E hidden, V vocabulary, K loops, M hard tokens, C places of a chunk.
 */
import { backward, cat, type DType, embedding, enableGrad, type Tensor, zeros } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import { atPlaces, inFloat32, inPieces, statesAtStep } from '../../model/read-out.js';
import type { HardTokens } from './hard-tokens.js';

/** The teacher's logits that may exist at once: 64 MiB in float32, and as much again of probabilities. */
export const CHUNK_LOGITS = 2 ** 24;

/** The teacher's states at its reference, [M, E]. */
export function referenceStates(
  teacherStatesK: readonly Tensor[],
  placesM: Tensor,
  at: 'last' | 'reference',
  referenceStepM: Tensor,
): Tensor {
  if (at === 'last') return atPlaces(teacherStatesK.at(-1)!, placesM);
  return statesAtStep(
    teacherStatesK.map((hiddenBTE) => atPlaces(hiddenBTE, placesM)),
    referenceStepM,
  );
}

/** d_k; they add up to 1. */
export function distillationShares(K: number, anchor: number | null): number[] {
  const others = anchor === null || K === 1 ? 1 / K : (1 - anchor) / (K - 1);
  return Array.from({ length: K }, (_, k) => (k === K - 1 && anchor !== null && K > 1 ? anchor : others));
}

/** What the student makes of the hard tokens. */
export interface StudentReading {
  /** K × [B, T, E] */
  statesK: readonly Tensor[];
  hard: Pick<HardTokens, 'placesN' | 'targetsN'>;
  /** ℓ^(k), [K, M]. */
  logProbsKM: Tensor;
}

/** The teacher at its reference, as constants. */
export interface ReferenceStates {
  /** [M, E] */
  statesME: Tensor;
  /** H(p_θ̄), nats, [M]. */
  entropyM: Tensor;
}

/**
 * L_ref; a scalar with gradient into the student's states and LM head, through ℓ^(k) and beside it.
 * @param shares d_k
 */
export function referenceDistillationLoss(
  student: LoopLM,
  { statesK, hard, logProbsKM }: StudentReading,
  teacher: LoopLM,
  { statesME: referenceME, entropyM }: ReferenceStates,
  shares: readonly number[],
  chunkLogits = CHUNK_LOGITS,
): Tensor {
  const headVE = student.weights.head;
  const mean = (ofLoop: (k: number) => Tensor): Tensor =>
    shares.flatMap((share, k) => (share > 0 ? [ofLoop(k).mul(share)] : [])).reduce((sum, term) => sum.add(term));
  const meanStateME = mean((k) => inFloat32(atPlaces(statesK[k]!, hard.placesN)));
  const M = meanStateME.size(0);
  const stateLeafME = leafOf(meanStateME);
  // Added up over the chunks in float32 (float64 for float64): in half precision such a sum stands still after 256 of them.
  const headGradientVE = zeros(headVE.shape, { dtype: wide(headVE), device: headVE.device });
  const turnedAt = (logitsCV: Tensor, from: number): Tensor => {
    const ofChunk = (tensor: Tensor): Tensor => tensor.slice(0, from, from + logitsCV.size(0));
    const pdfCV = logitsCV.softmax(-1).to({ dtype: headVE.dtype });
    const headLeafVE = leafOf(headVE);
    const logitC = enableGrad(() => {
      const meanRowCE = pdfCV.matmul(headLeafVE);
      const labelRowCE = embedding(headLeafVE, ofChunk(hard.targetsN));
      const logitC = inFloat32(labelRowCE.sub(meanRowCE)).mul(ofChunk(stateLeafME)).sum(-1);
      backward(logitC.sum().div(M));
      return logitC.detach();
    });
    headGradientVE.add_(headLeafVE.grad!);
    return logitC;
  };
  const turnedC = inPieces(teacher, referenceME, turnedAt, chunkLogits);
  const turned = withGradients(cat(turnedC).sub(entropyM).mean(), [
    [meanStateME, stateLeafME.grad!],
    [headVE, headGradientVE.to({ dtype: headVE.dtype })],
  ]);
  return turned.sub(mean((k) => logProbsKM.select(0, k)).mean());
}

function wide({ dtype }: Tensor): DType {
  return dtype === 'float64' ? 'float64' : 'float32';
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
