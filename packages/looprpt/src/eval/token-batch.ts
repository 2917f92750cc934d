/**
 * Packed rows as a model takes them: ids, positions and how far back each place may look.
 *
 * Shapes: B rows, S places.
 */
import { type Tensor, tensor } from '@looprpt/engine';
import type { PackedBatch } from '../data/loader/batch.js';
import type { TokenBatch } from '../model/loop-lm.js';

/** What is read of a batch. */
export type EvalBatch = Pick<
  PackedBatch,
  'B' | 'S' | 'inputIds' | 'targetIds' | 'segmentIds' | 'positionIds' | 'lossMask'
>;

/** Per place the first place of its run of equal segment numbers, in rows of S; [B, S]. */
export function firstPlaces({ B, S, segmentIds }: Pick<EvalBatch, 'B' | 'S' | 'segmentIds'>): Int32Array {
  const first = new Int32Array(B * S);
  for (let b = 0; b < B; b++) {
    for (let s = 1; s < S; s++) {
      const at = b * S + s;
      first[at] = segmentIds[at] === segmentIds[at - 1] ? first[at - 1]! : s;
    }
  }
  return first;
}

/** Places whose target counts, as indices into [B·S]. */
export function countedPlaces(lossMask: Uint8Array): Int32Array {
  const places = new Int32Array(lossMask.reduce((count, mark) => count + mark, 0));
  let count = 0;
  for (let at = 0; at < lossMask.length; at++) if (lossMask[at] === 1) places[count++] = at;
  return places;
}

/** The batch on the model's device; rows of one segment each keep plain causal attention, which is faster. */
export function toTokenBatch(batch: EvalBatch, first: Int32Array, device: string): TokenBatch {
  const { B, S } = batch;
  const int64BS = (values: Int32Array): Tensor => tensor(values, { shape: [B, S], dtype: 'int64', device });
  return {
    idsBT: int64BS(batch.inputIds),
    positionsBT: int64BS(batch.positionIds),
    firstKeyBT: first.some((place) => place > 0) ? int64BS(first) : null,
  };
}
