import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Rng, threefry2x32 } from './rng.js';

describe('threefry2x32', () => {
  // The known answers that the authors publish with their library (Random123, kat_vectors).
  test.each([
    [
      [0, 0, 0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3],
      [0xc4923a9c, 0x483df7a0],
    ],
  ] as const)('key and counter %j', ([k0, k1, c0, c1], expected) => {
    expect(threefry2x32(k0, k1, c0, c1)).toEqual(expected);
  });
});

const draws = (rng: Rng, count: number) => Array.from({ length: count }, () => rng.uint32());

describe('Rng', () => {
  test('a folded stream does not depend on what was drawn from its parent', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), fc.nat(20), (seed, data, drawn) => {
        const used = Rng.fromSeed(seed);
        draws(used, drawn);
        expect(draws(used.fold(data), 4)).toEqual(draws(Rng.fromSeed(seed).fold(data), 4));
      }),
    );
  });

  test('streams of different seeds, folds and orders of folds differ', () => {
    const streams = new Set<string>();
    for (const seed of [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1]) {
      streams.add(String(draws(Rng.fromSeed(seed), 2)));
      for (const data of [0, 1, 2, 2 ** 32, 2 ** 53 - 1]) {
        streams.add(String(draws(Rng.fromSeed(seed).fold(data), 2)));
        streams.add(String(draws(Rng.fromSeed(seed).fold(3).fold(data), 2)));
        streams.add(String(draws(Rng.fromSeed(seed).fold(data).fold(4), 2)));
      }
    }
    expect(streams.size).toBe(5 * (1 + 3 * 5));
  });

  test('below is uniform (chi-square, 9 degrees of freedom, 0.1 % point 27.9)', () => {
    const rng = Rng.fromSeed(3);
    const counts = new Array<number>(10).fill(0);
    for (let draw = 0; draw < 50_000; draw++) counts[rng.below(10)]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 5000) ** 2 / 5000, 0);
    expect(chiSquare).toBeLessThan(27.9);
  });

  test('shuffled permutes, and every order of three comes up equally often', () => {
    const rng = Rng.fromSeed(4);
    const counts = new Map<string, number>();
    for (let draw = 0; draw < 12_000; draw++) {
      const order = rng.shuffled(['a', 'b', 'c']).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['abc', 'acb', 'bac', 'bca', 'cab', 'cba']);
    for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(200);
  });

  test('weighted follows the weights and never picks a weight of zero', () => {
    const rng = Rng.fromSeed(5);
    const counts = [0, 0, 0, 0];
    for (let draw = 0; draw < 10_000; draw++) counts[rng.weighted([1, 0, 3, 0])]!++;
    expect(counts[1]).toBe(0);
    expect(counts[3]).toBe(0);
    expect(Math.abs(counts[2]! - 7500)).toBeLessThan(250);
  });

  test('a seed that is no whole number is refused', () => {
    for (const seed of [-1, 0.5, 2 ** 53]) expect(() => Rng.fromSeed(seed)).toThrow('whole number');
  });
});
