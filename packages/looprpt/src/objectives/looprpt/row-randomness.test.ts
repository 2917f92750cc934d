import { liveTensors, scope, tensor, zeros } from '@looprpt/engine';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../../engine/test-support/collect-garbage.js';
import type { RowKey } from '../row-key.js';
import type { HardTokens } from './hard-tokens.js';
import { RowRandomness } from './row-randomness.js';

const key = (row: number, step = 3): RowKey => ({ seed: 7, step, row });
const hard = (...perRow: number[]): HardTokens => ({ perRow: Int32Array.from(perRow) }) as HardTokens;
/** Hard tokens of row r: r + 1 of them, and none in row 2. */
const countOf = (row: number): number => (row === 2 ? 0 : row + 1);
const [G, T, E] = [2, 5, 3];

/** Everything drawn for these rows in one batch, by row. */
function draws(rows: readonly number[], step = 3): unknown[] {
  using random = new RowRandomness(
    0.5,
    rows.map((row) => key(row, step)),
    'cpu',
  );
  return scope(() => {
    const counts = rows.map(countOf);
    const Q = Math.max(1, ...counts);
    const passes = [1, 2].map(() => random.perturb(zeros([rows.length, T, E])).toArray<unknown[]>());
    const queries = random.perturbQueries(zeros([rows.length, G * Q, E]), 0, G, hard(...counts));
    const ofRowBGQE = queries.view(rows.length, G, Q, E);
    const M = counts.reduce((sum, n) => sum + n, 0);
    const exits = M === 0 ? null : random.leaves(0, zeros([G, M]).add(0.5), hard(...counts));
    let from = 0;
    return rows.map((_, b) => {
      const own = ofRowBGQE.slice(0, b, b + 1).slice(2, 0, counts[b]!);
      const rest = ofRowBGQE.slice(0, b, b + 1).slice(2, counts[b]!, Q);
      expect(rest.toNumbers().every((value) => value === 0)).toBe(true);
      const start = from;
      from += counts[b]!;
      return [
        passes.map((pass) => pass[b]),
        own.toArray(),
        start === from ? null : exits!.slice(1, start, from).toArray(),
      ];
    });
  });
}

describe('what is drawn for a row', () => {
  test('does not depend on the rows that share its batch, nor on their order', () => {
    const alone = [0, 1, 2, 3, 4].map((row) => draws([row])[0]);
    const rows = fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 1 });
    fc.assert(
      fc.property(rows, (chosen) => {
        expect(draws(chosen)).toEqual(chosen.map((row) => alone[row]));
      }),
      { numRuns: 20 },
    );
  });

  test('differs between rows, steps, seeds, and calls', () => {
    const noise = (keys: RowKey[]): number[][] => {
      using random = new RowRandomness(1, keys, 'cpu');
      return scope(() =>
        [1, 2].flatMap(() =>
          random
            .perturb(zeros([keys.length, 1, 2]))
            .toArray<number[][][]>()
            .flat(),
        ),
      );
    };
    const all = [...noise([key(0), key(1)]), ...noise([key(0, 4)]), ...noise([{ ...key(0), seed: 8 }])];
    // A seed beyond 32 bits too.
    all.push(...noise([{ ...key(0), seed: 7 + 2 ** 32 }]));
    expect(new Set(all.map((pair) => pair.join())).size).toBe(all.length);
  });

  test('is standard normal over rows and steps, and independent of its neighbours', () => {
    const values: number[] = [];
    const products: number[] = [];
    for (let step = 0; step < 40; step++) {
      using random = new RowRandomness(
        1,
        Array.from({ length: 50 }, (_, row) => key(row, step)),
        'cpu',
      );
      const rows = scope(() => random.perturb(zeros([50, 1, 1])).toNumbers());
      values.push(...rows);
      for (let i = 1; i < rows.length; i++) products.push(rows[i]! * rows[i - 1]!);
    }
    const mean = (x: number[]): number => x.reduce((sum, value) => sum + value, 0) / x.length;
    // Five standard errors; the seeds are fixed.
    expect(Math.abs(mean(values))).toBeLessThan(5 / Math.sqrt(values.length));
    expect(Math.abs(mean(values.map((x) => x * x)) - 1)).toBeLessThan(5 * Math.sqrt(2 / values.length));
    expect(Math.abs(mean(products))).toBeLessThan(5 / Math.sqrt(products.length));
  });

  test('is added to the state; without noise the state itself comes back; nothing is left behind', async () => {
    await collectGarbage();
    const live = liveTensors();
    scope(() => {
      const state = tensor([[[5, -7]]]);
      using silent = new RowRandomness(0, [key(0)], 'cpu');
      expect(silent.perturb(state)).toBe(state);
      expect(silent.perturbQueries(state, 0, 1, hard(1))).toBe(state);
      using one = new RowRandomness(0.1, [key(0)], 'cpu');
      using other = new RowRandomness(0.1, [key(0)], 'cpu');
      const noise = other.perturb(zeros([1, 1, 2])).toNumbers();
      const noisy = one.perturb(state).toNumbers();
      expect([noisy[0], noisy[1]]).toEqual([Math.fround(5 + noise[0]!), Math.fround(-7 + noise[1]!)]);
    });
    expect(liveTensors()).toBe(live);
  });
});
