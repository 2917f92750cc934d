/**
 * Keys and values by slot, as `fusedPagedAttention` keeps them: slot z is lane z % 16 of block z / 16, so that attention reads the
 * same number of 16 positions as one vector. It knows nothing of who owns a slot. Contents are what they are until they are written.
 *
 * Shapes: Z slots, G key heads, D head size.
 */
import { empty, tensor } from './create.js';
import type { DType } from './dtype.js';
import { op } from './operator.js';
import type { Tensor } from './tensor.js';

/** Slots of a block. */
const BLOCK = 16;

/** Keys (rotated) and values of one layer, [⌈Z/16⌉, G, D, 16] each. */
export interface PagedMemory {
  keys: Tensor;
  values: Tensor;
}

export interface PagedShape {
  slots: number;
  kvHeads: number;
  headDim: number;
}

/** @param dtype float32 or bfloat16 */
export function pagedMemory({ slots, kvHeads, headDim }: PagedShape, dtype: DType): PagedMemory {
  const table = (): Tensor => empty([Math.ceil(slots / BLOCK), kvHeads, headDim, BLOCK], { dtype });
  return { keys: table(), values: table() };
}

const index = op('aten::index.Tensor')<Tensor>;
const indexPut = op('aten::index_put_')<Tensor>;

/** Copies what is in some slots to others, as if all were read before any is written. */
export function copySlots({ keys, values }: PagedMemory, from: readonly number[], to: readonly number[]): void {
  const at = (slots: readonly number[]): Tensor[] => [
    tensor(
      slots.map((slot) => Math.floor(slot / BLOCK)),
      { dtype: 'int64' },
    ),
    tensor(
      slots.map((slot) => slot % BLOCK),
      { dtype: 'int64' },
    ),
  ];
  const [source, target] = [at(from), at(to)];
  for (const table of [keys, values]) {
    const slots = table.permute(0, 3, 1, 2);
    indexPut(slots, target, index(slots, source));
  }
}
