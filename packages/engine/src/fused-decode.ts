/**
 * Fused operators for decoding many sequences at once: attention of single positions over scattered keys and values, a
 * product whose rows do not depend on each other's company, and the draw of a token from every row.
 *
 * They work on contiguous float32 tensors on the CPU (`fusable`) and have no gradients. A row's result has the same bits
 * whatever other rows it is computed with, which a general matrix product does not promise.
 *
 * Shapes: N rows, V vocabulary, H query heads, G key heads, D head size, P = D/2, M slots named by all lines together.
 */
import { tensor } from './create.js';
import type { AttentionHeads } from './fused.js';
import { type Handle, native } from './native.js';
import type { PagedMemory } from './paged-memory.js';
import { Tensor } from './tensor.js';

const PACK_ROWS = native.resolve('looprpt::pack_rows', '');
const ROW_LINEAR = native.resolve('looprpt::row_linear', '');
const READ_TOKENS = native.resolve('looprpt::read_tokens', '');
const PAGED_ATTENTION = native.resolve('looprpt::paged_decode_attention', '');

/** Weights [out, in] in the order in which `fusedRowLinear` reads them: a copy of the same size, rounded up. */
export interface PackedWeight {
  packed: Tensor;
  out: number;
}

export function packRows(weight: Tensor): PackedWeight {
  return { packed: new Tensor(native.call(PACK_ROWS, weight.handle) as Handle), out: weight.size(0) };
}

/** x·Wᵀ with every row computed alone: x [N, in] → [N, out]. */
export function fusedRowLinear(x: Tensor, { packed, out }: PackedWeight): Tensor {
  return new Tensor(native.call(ROW_LINEAR, x.handle, packed.handle, out) as Handle);
}

export interface PagedRows {
  /** int32 [N, 3]: position, slot to write, start of the row's line in `lines`. */
  rows: Tensor;
  /** int32 [M]: of each line the slots of positions 0, 1, …; a row reads position + 1 of them. */
  lines: Tensor;
  /** int32 [C, 2]: slots whose keys and values are copied to other slots, before any row writes; no slot is in two pairs' targets. */
  copies: Tensor;
  /** The first so many rows attend, those behind them only store their keys and values; default all. */
  attending?: number;
}

/**
 * Rotates and stores the rows' keys and values, then lets each row that attends do so to the slots of its line. Rows of one line
 * that follow each other read its keys together.
 * @param qkv [N, (H + 2G)·D], unrotated @param angles cos and sin by position, [places, P]
 * @returns [attending, H·D]
 */
export function fusedPagedAttention(
  qkv: Tensor,
  angles: { cos: Tensor; sin: Tensor },
  { keys, values }: PagedMemory,
  { rows, lines, copies, attending = rows.size(0) }: PagedRows,
  { heads, kvHeads, window }: AttentionHeads,
): Tensor {
  const tensors = [qkv, angles.cos, angles.sin, keys, values, copies, rows, lines].map((tensor) => tensor.handle);
  return new Tensor(native.call(PAGED_ATTENTION, ...tensors, heads, kvHeads, window ?? 0, attending) as Handle);
}

/** A token that is known, or one to be drawn: with the noise of a key of two 32-bit words, at temperature 0 the likeliest. */
export type WantedToken = { id: number } | { temperature: number; key: readonly [number, number] };

/**
 * A token from every row: the id that is given, or the one with the largest logit / temperature + Gumbel noise. The noise of id v
 * comes from the v-th word of the Threefry-2x32 stream of the key: −log E with E = −log(1 − (word + ½) / 2³²).
 * @param logits [N, V]; −∞ rules an id out
 * @returns by row the id, its log-probability at temperature 1, and by how much it beats the next id (of logit / temperature +
 * noise; at temperature 0 of logits; infinite for a given id), one after the other: 3·N numbers. A row that makes no
 * distribution (a logit is NaN or +∞, or all are −∞) has NaN for the last two and, unless its id was given, the id −1; rows
 * beside it are as always
 */
export function fusedReadTokens(logits: Tensor, wanted: readonly WantedToken[]): Float64Array {
  const table = new Float64Array(4 * wanted.length);
  wanted.forEach((token, n) => {
    table.set('id' in token ? [token.id, 0, 0, 0] : [-1, token.temperature, ...token.key], 4 * n);
  });
  const wantedN4 = tensor(table, { shape: [wanted.length, 4] });
  return new Tensor(native.call(READ_TOKENS, logits.handle, wantedN4.handle) as Handle).toTyped() as Float64Array;
}
