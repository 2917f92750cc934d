import { expect, test } from 'vitest';
import { allPairs } from './all-pairs.js';

test('every pair of values of two settings occurs, in far fewer combinations than the product', () => {
  const factors = { a: [1, 2, 3, 4, 5], b: ['x', 'y', 'z'], c: [false, true], d: [false, true], e: [0, 1, 2] };
  const combinations = allPairs(factors);
  const names = Object.keys(factors) as (keyof typeof factors)[];
  for (const a of names) {
    for (const b of names.filter((name) => name !== a)) {
      for (const x of factors[a]) {
        for (const y of factors[b]) expect(combinations.some((c) => c[a] === x && c[b] === y)).toBe(true);
      }
    }
  }
  expect(combinations.length).toBeGreaterThanOrEqual(15);
  expect(combinations.length).toBeLessThan(25);
});
