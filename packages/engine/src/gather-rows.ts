/**
 * Rows of several tables as one matrix, and rows into places of a table, in one call each. On any device, in any dtype; without
 * gradients.
 *
 * Shapes: N rows, E numbers of a row.
 */
import { tensor } from './create.js';
import type { DType } from './dtype.js';
import { type Handle, native } from './native.js';
import { Tensor } from './tensor.js';

const GATHER_ROWS = native.resolve('looprpt::gather_rows', '');
const PUT_ROWS = native.resolve('looprpt::put_rows', '');

const pairsOf = (pairs: Int32Array): Tensor => tensor(pairs, { shape: [pairs.length / 2, 2] });

/**
 * @param tables [.., E] each, on one device @param from N pairs (table, row) one after the other
 * @returns [N, E] of this dtype
 */
export function gatherRows(tables: readonly Tensor[], from: Int32Array, dtype: DType): Tensor {
  const handles = tables.map(({ handle }) => handle);
  return new Tensor(native.call(GATHER_ROWS, handles, pairsOf(from).handle, dtype) as Handle);
}

/** Copies rows [.., E] into the table [M, E] of the same dtype. @param pairs (row, place in the table) one after the other */
export function putRows(table: Tensor, rows: Tensor, pairs: Int32Array): void {
  native.call(PUT_ROWS, table.handle, rows.handle, pairsOf(pairs).handle);
}
