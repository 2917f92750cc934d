/**
 * What the student says about the hard tokens after every loop: ℓ, and where the distillation will want them too, the log-probabilities of
 * the whole vocabulary, so that the LM head is run once for both.
 *
 * Those are kept for the backward pass only up to a bound; beyond it the distillation reads them again, a chunk at a time.
 *
 * Shapes: B rows, T places, E hidden, V vocabulary, K loops, M hard tokens, C places of a chunk.
 */
import { linear, stack, type Tensor } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import { atPlaces, inFloat32, targetLogProbsByLoop } from '../readout.js';
import type { HardTokens } from './hard-tokens.js';

/** Student logits that may exist at once, over all loops: 64 MiB in float32, and a few times that in between. */
export const CHUNK_LOGITS = 2 ** 24;

export interface StudentReading {
  /** K × [B, T, E] */
  statesK: readonly Tensor[];
  placesM: Tensor;
  /** ℓ^(k), [K, M]. */
  logProbsKM: Tensor;
  /** log p^(k) of every word, [K, M, V]; null where nobody wants it or it is too large to be kept. */
  logProbsKMV: Tensor | null;
}

/** @param whole whether somebody will want the whole vocabulary */
export function readStudent(
  student: LoopLM,
  statesK: readonly Tensor[],
  { placesN: placesM, targetsN: targetsM }: Pick<HardTokens, 'placesN' | 'targetsN'>,
  whole: boolean,
  chunkLogits = CHUNK_LOGITS,
): StudentReading {
  const [K, M] = [statesK.length, placesM.size(0)];
  if (!whole || K * M * student.config.vocabSize > chunkLogits) {
    const logProbsKM = targetLogProbsByLoop(student, statesK, placesM, targetsM);
    return { statesK, placesM, logProbsKM, logProbsKMV: null };
  }
  const logProbsKMV = logProbsOf(statesAt(statesK, placesM), student.weights.head);
  const logProbsKM = logProbsKMV.gather(2, targetsM.view(1, M, 1).expand(K, M, 1)).squeeze(2);
  return { statesK, placesM, logProbsKM, logProbsKMV };
}

/** K states [B, T, E] at flat places [M] → [K, M, E]. */
export function statesAt(statesK: readonly Tensor[], placesM: Tensor): Tensor {
  return stack(statesK.map((hiddenBTE) => atPlaces(hiddenBTE, placesM)));
}

/** States [K, C, E] and a head [V, E] → log-probabilities [K, C, V]. */
export function logProbsOf(statesKCE: Tensor, headVE: Tensor): Tensor {
  return inFloat32(linear(statesKCE, headVE)).logSoftmax(-1);
}
