/**
 * The order in which documents are visited: epoch after epoch, each in a random order of its own, or as they come.
 * An order is a pure function of (seed, epoch), so a position is two numbers. An endless source has one endless epoch
 * and is never shuffled: its documents are independent of each other already.
 */
import assert from 'node:assert/strict';
import { Rng } from '../../base/rng.js';

export interface OrderOptions {
  /** Number of documents, or Infinity. */
  length: number;
  /** How many times to visit all of them; null for without end. */
  epochs: number | null;
  shuffle: boolean;
  seed: number;
}

export class DocumentOrder {
  /** The epoch, from 0, of the next document. */
  epoch = 0;
  /** Documents of this epoch that were given out. */
  position = 0;
  /** Number of documents, or of the pieces that they are cut into; set before the first is asked for. */
  length: number;
  private permuted: { epoch: number; indices: Uint32Array } | null = null;

  constructor(private readonly options: OrderOptions) {
    this.length = options.length;
  }

  /** The next document's index; null at the end of the last epoch. */
  next(): number | null {
    const { length } = this;
    const { epochs } = this.options;
    if (length === 0) return null;
    if (this.position === length) {
      this.epoch++;
      this.position = 0;
    }
    if (epochs !== null && this.epoch >= epochs) return null;
    return this.at(this.position++);
  }

  private at(position: number): number {
    const { length } = this;
    const { seed, shuffle } = this.options;
    if (!shuffle || length === Number.POSITIVE_INFINITY) return position;
    if (this.permuted?.epoch !== this.epoch) {
      this.permuted = { epoch: this.epoch, indices: permutation(length, seed, this.epoch) };
    }
    return this.permuted.indices[position]!;
  }
}

/** Fisher and Yates's shuffle of 0 … length − 1; four bytes for each. */
export function permutation(length: number, seed: number, epoch: number): Uint32Array {
  assert(length < 2 ** 32);
  const rng = Rng.fromSeed(seed).fold(epoch);
  const indices = Uint32Array.from({ length }, (_, i) => i);
  for (let last = length - 1; last > 0; last--) {
    const other = rng.below(last + 1);
    const moved = indices[last]!;
    indices[last] = indices[other]!;
    indices[other] = moved;
  }
  return indices;
}
