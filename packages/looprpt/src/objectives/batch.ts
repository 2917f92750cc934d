/**
 * A packed batch as the objectives want it: tensors on the model's device, and the places whose target counts.
 *
 * Shapes: B rows, T places, N counted places of the whole batch in row-major order.
 */
import { type Tensor, tensor } from '@looprpt/engine';
import type { PackedBatch } from '../data/loader/batch.js';
import type { TokenBatch } from '../model/loop-lm.js';

/** A batch of packed documents as tensors, and which of its places count. */
export interface TrainingBatch extends TokenBatch {
  B: number;
  T: number;
  /** int64 [N]: row·T + place of every counted place. */
  countedN: Tensor;
  /** int64 [N]: the true next token there. */
  targetsN: Tensor;
  /** The same places in JavaScript, for choosing among them. */
  counted: Int32Array;
  /** int64 [B·T]: the true next token of every place. */
  targetsBT: Tensor;
  /** Input tokens that are not padding. */
  tokens: number;
}

/** The first place of each place's own document; padding sees only itself. Null where every row is one sequence. */
function firstKeys({ B, S, segmentIds }: PackedBatch): Int32Array | null {
  const first = new Int32Array(B * S);
  let plain = true;
  for (let b = 0; b < B; b++) {
    let start = 0;
    for (let s = 0; s < S; s++) {
      const segment = segmentIds[b * S + s]!;
      if (segment < 0 || (s > 0 && segment !== segmentIds[b * S + s - 1])) start = s;
      first[b * S + s] = start;
      plain &&= start === 0;
    }
  }
  return plain ? null : first;
}

/** Moves a packed batch to a device. @throws AssertionError never; a batch without counted places has N = 0 */
export function trainingBatch(packed: PackedBatch, device: string): TrainingBatch {
  const { B, S } = packed;
  const count = packed.lossMask.reduce((sum, flag) => sum + flag, 0);
  const counted = new Int32Array(count);
  let n = 0;
  packed.lossMask.forEach((flag, i) => {
    if (flag) counted[n++] = i;
  });
  const onDevice = (array: Int32Array, shape: number[]): Tensor => tensor(array, { shape, dtype: 'int64', device });
  const first = firstKeys(packed);
  const targetsBT = onDevice(packed.targetIds, [B * S]);
  const countedN = onDevice(counted, [count]);
  return {
    B,
    T: S,
    idsBT: onDevice(packed.inputIds, [B, S]),
    // Rows that are one sequence from 0 need no positions of their own.
    positionsBT:
      first === null && packed.positionIds.every((p, i) => p === i % S) ? null : onDevice(packed.positionIds, [B, S]),
    firstKeyBT: first === null ? null : onDevice(first, [B, S]),
    countedN,
    targetsN: targetsBT.indexSelect(0, countedN),
    counted,
    targetsBT,
    tokens: packed.tokens,
  };
}
