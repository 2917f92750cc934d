/**
 * Counter-based random numbers: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers:
 * as easy as 1, 2, 3", SC 2011). The n-th number of a stream is a pure function of (key, n), and `fold` derives the key
 * of an independent stream, so that document i of split t of seed s needs none of the documents before it.
 *
 * Only 32-bit additions, rotations and exclusive ors: fast in JavaScript, equal on every machine. Not for the noise of
 * the model, which comes from the tensor library, and not for cryptography.
 */
import assert from 'node:assert/strict';

const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const parity = 0x1bd11bda;
const twoTo32 = 0x1_0000_0000;
/** Set in the second counter word of derived keys, never in that of numbers drawn. */
const foldBit = 0x8000_0000;

/** Encrypts the counter (c0, c1) under the key (k0, k1); all four and both results are unsigned 32-bit words. */
export function threefry2x32(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const keys = [k0, k1, k0 ^ k1 ^ parity];
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  for (let round = 0; round < 20; round++) {
    const turn = rotations[round % 8]!;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << turn) | (x1 >>> (32 - turn))) ^ x0;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x0 = (x0 + keys[injection % 3]!) | 0;
      x1 = (x1 + keys[(injection + 1) % 3]! + injection) | 0;
    }
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** The low and the high word of an integer in 0 … 2^53 − 1. */
function wordsOf(value: number): [number, number] {
  assert(Number.isSafeInteger(value) && value >= 0, `seed or index must be a whole number from 0, not ${value}`);
  return [value >>> 0, Math.floor(value / twoTo32)];
}

export class Rng {
  readonly #key: readonly [number, number];
  #counter = 0;
  #spare: number | undefined;

  private constructor(key: readonly [number, number]) {
    this.#key = key;
  }

  /** `seed`: an integer in 0 … 2^53 − 1. */
  static fromSeed(seed: number): Rng {
    return new Rng(wordsOf(seed));
  }

  /** The stream number `data` derived from this one's key; unaffected by what was drawn from this one. */
  fold(data: number): Rng {
    const [low, high] = wordsOf(data);
    return new Rng(threefry2x32(this.#key[0], this.#key[1], low, (foldBit | high) >>> 0));
  }

  /** Names the stream: its n-th number is word n mod 2 of `threefry2x32(key…, ⌊n / 2⌋, 0)`. */
  get key(): readonly [number, number] {
    return this.#key;
  }

  uint32(): number {
    if (this.#spare !== undefined) {
      const value = this.#spare;
      this.#spare = undefined;
      return value;
    }
    const [value, spare] = threefry2x32(this.#key[0], this.#key[1], this.#counter++, 0);
    this.#spare = spare;
    return value;
  }

  /** Uniform over 0 … n − 1, without the bias of a plain remainder. */
  below(n: number): number {
    assert(Number.isInteger(n) && n >= 1 && n <= twoTo32);
    const limit = twoTo32 - (twoTo32 % n);
    let value = this.uint32();
    while (value >= limit) value = this.uint32();
    return value % n;
  }

  /** Uniform over low … high, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.uint32() / twoTo32 < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** An index with probability proportional to its weight; the weights are non-negative with a positive sum. */
  weighted(weights: readonly number[]): number {
    let rest = (this.uint32() / twoTo32) * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [index, weight] of weights.entries()) {
      if (rest < weight) return index;
      rest -= weight;
    }
    return weights.findLastIndex((weight) => weight > 0);
  }

  /** A copy in random order (Fisher-Yates). */
  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let last = result.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      [result[last], result[other]] = [result[other]!, result[last]!];
    }
    return result;
  }
}
