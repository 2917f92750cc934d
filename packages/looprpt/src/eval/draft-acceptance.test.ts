import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomTable } from '../../test-support/random-table.js';
import { scoreDrafts } from './draft-acceptance.js';

describe('acceptance of drafts', () => {
  it('is what agrees with full depth, loop by loop, and the loop from which on it does', () => {
    fc.assert(
      fc.property(randomTable({ minLoops: 1 }), (table) => {
        const { acceptance, passes } = scoreDrafts(table);
        const K = table.loops;
        const said = Array.from({ length: table.tokens }, (_, n) => table.prediction.map((loop) => loop[n]!));
        const early = Array.from({ length: K - 1 }, (_, k) => k);
        const share = (k: number): number => said.filter((one) => one[k] === one[K - 1]).length / said.length;
        expect(acceptance).toEqual(early.map(share));
        const first = said.map((one) => 1 + one.findIndex((_, k) => one.slice(k).every((id) => id === one[K - 1])));
        expect(passes).toBeCloseTo(first.reduce((sum, k) => sum + k, 0) / first.length, 12);
      }),
    );
  });
});
