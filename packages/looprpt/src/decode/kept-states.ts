/**
 * States of tokens that sit passes out, until their next loop: one row of a table each, on the model's device.
 *
 * The table begins empty and doubles where it is full, so it is as large as the most tokens that ever waited at once; a row is
 * E numbers, a few hundredths of the token's keys and values. Whoever puts a state here drops it once.
 *
 * Shapes: N rows of a pass, M rows of the table, E hidden.
 */
import { type DType, empty, putRows, scope, type Tensor } from '@looprpt/engine';

const FIRST_ROWS = 64;

export class KeptStates implements Disposable {
  readonly #shape: { hidden: number; dtype: DType; device: string };
  readonly #free: number[] = [];
  #tableME: Tensor | null = null;

  constructor(shape: { hidden: number; dtype: DType; device: string }) {
    this.#shape = shape;
  }

  /** Rows that hold a state. */
  get size(): number {
    return (this.#tableME?.size(0) ?? 0) - this.#free.length;
  }

  /** [M, E]; null as long as nothing has ever been kept. */
  get table(): Tensor | null {
    return this.#tableME;
  }

  /** Copies these rows of [N, E]. @returns where each of them is kept, a row of the table */
  keep(stateNE: Tensor, rows: readonly number[]): number[] {
    while (this.#free.length < rows.length) this.#grow();
    const places = rows.map(() => this.#free.pop()!);
    const pairs = Int32Array.from({ length: 2 * rows.length }, (_, i) => (i % 2 === 0 ? rows : places)[i >> 1]!);
    scope(() => putRows(this.#tableME!, stateNE, pairs));
    return places;
  }

  drop(place: number): void {
    this.#free.push(place);
  }

  [Symbol.dispose](): void {
    this.#tableME?.dispose();
    this.#tableME = null;
    this.#free.length = 0;
  }

  #grow(): void {
    const { hidden, dtype, device } = this.#shape;
    const before = this.#tableME;
    const held = before?.size(0) ?? 0;
    const rows = Math.max(FIRST_ROWS, 2 * held);
    const table = empty([rows, hidden], { dtype, device }).persist();
    if (before) scope(() => void table.slice(0, 0, held).copy_(before));
    before?.dispose();
    this.#tableME = table;
    for (let row = rows - 1; row >= held; row--) this.#free.push(row);
  }
}
