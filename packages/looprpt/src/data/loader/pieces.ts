/**
 * Documents cut into pieces of a row's length, so that the order of an epoch can mix them with all others: a book read on to its end is
 * a stretch of training on one book alone. A document of n ids has n − 1 places (batch.ts); piece p of it begins at place p · S, and all
 * but its last are as long as a row.
 *
 * Invariant: every place of every document is in one piece. The numbering depends on the documents' lengths and S alone.
 */
import assert from 'node:assert/strict';

export interface PieceStart {
  /** The document's index. */
  readonly index: number;
  /** Its place that the piece begins at. */
  readonly from: number;
}

export class Pieces {
  /** Pieces of the documents before each; at the end the number of them all. */
  readonly #before: Uint32Array;
  readonly #rowLength: number;
  /** Whether a document is longer than a row. */
  readonly cut: boolean;

  /** @param idCounts how many ids each document has, of `documents` in turn */
  constructor(idCounts: Iterable<number>, documents: number, rowLength: number) {
    this.#rowLength = rowLength;
    this.#before = new Uint32Array(documents + 1);
    let all = 0;
    let index = 0;
    let most = 0;
    for (const ids of idCounts) {
      all += Math.ceil(Math.max(0, ids - 1) / rowLength);
      this.#before[++index] = all;
      most = Math.max(most, ids);
    }
    this.cut = most - 1 > rowLength;
    assert(index === documents && all < 2 ** 32, `${all} pieces of ${index} documents`);
  }

  get length(): number {
    return this.#before.at(-1)!;
  }

  at(piece: number): PieceStart {
    assert(piece >= 0 && piece < this.length, `piece ${piece} of ${this.length}`);
    // The last document with no more than `piece` pieces before it; those without a piece share their number with the next.
    let [low, high] = [0, this.#before.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#before[middle]! <= piece) low = middle;
      else high = middle;
    }
    return { index: low, from: (piece - this.#before[low]!) * this.#rowLength };
  }
}
