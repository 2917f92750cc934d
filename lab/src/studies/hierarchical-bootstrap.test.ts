/** The bootstrap over seeds and documents against the one over documents, and against a slow one that copies tokens. */
import fc from 'fast-check';
import { Rng } from 'looprpt/internal/base/rng.js';
import { pairedBootstrap } from 'looprpt/internal/eval/bootstrap.js';
import { selectTokens, sequenceCount, type TokenTable } from 'looprpt/internal/eval/token-table.js';
import { describe, expect, it } from 'vitest';
import { randomPair, randomTable } from '../../../packages/looprpt/test-support/random-table.js';
import { documentSums } from './document-sums.js';
import { Resampled } from './hierarchical-bootstrap.js';

const RESAMPLES = 40;

function sumsOf(tables: readonly TokenTable[]) {
  return tables.map((table) => documentSums(table, sequenceCount(table)));
}

/** Accuracy after loop 1 of a table, by counting. */
function firstAccuracy({ correct, tokens }: TokenTable): number {
  return correct[0]!.reduce((sum, right) => sum + right, 0) / tokens;
}

/** The same documents, as another model may see them: what is right is moved along by some tokens. */
function turned(table: TokenTable, by: number): TokenTable {
  const turn = (column: Uint8Array): Uint8Array => column.map((_, n) => column[(n + by) % column.length]!);
  return { ...table, correct: table.correct.map(turn) };
}

describe('one seed', () => {
  it('is the paired bootstrap over documents', () => {
    fc.assert(
      fc.property(randomPair(), ([a, b]) => {
        fc.pre(sequenceCount(a) > 1 && a.loops > 1);
        const expected = pairedBootstrap(
          { name: 'a', table: a },
          { name: 'b', table: b },
          { resamples: RESAMPLES, fewest: 2 },
        );
        const resampled = new Resampled(
          new Map([
            ['a', sumsOf([a])],
            ['b', sumsOf([b])],
          ]),
          { resamples: RESAMPLES },
        );
        // The frontier's thresholds are chosen crosswise there, and on the tuning split here.
        const alike = expected.filter(({ metric }) => metric !== 'frontier');
        expect(alike.length).toBe(expected.length - 1);
        for (const { metric, delta, low, high } of alike) {
          const found = resampled.difference('a', 'b', metric);
          expect(found.mean).toBeCloseTo(delta, 10);
          expect(found.low).toBeCloseTo(low!, 10);
          expect(found.high).toBeCloseTo(high!, 10);
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe('several seeds', () => {
  it('draw seeds, and the same documents for all of them: as a slow version that copies tokens', () => {
    fc.assert(
      fc.property(randomTable({ minTokens: 4, minLoops: 2 }), (first) => {
        fc.pre(sequenceCount(first) > 1);
        const tables = [0, 1, 2].map((by) => turned(first, by));
        const [S, C] = [tables.length, sequenceCount(first)];
        const resampled = new Resampled(new Map([['a', sumsOf(tables)]]), { resamples: RESAMPLES });
        const documents = Rng.fromSeed(0);
        const seeds = Rng.fromSeed(0).fold(1);
        const slow = Array.from({ length: RESAMPLES }, () => {
          const drawn = Array.from({ length: C }, () => documents.below(C));
          const chosen = Array.from({ length: S }, () => seeds.below(S));
          const tokens = drawn.flatMap((c) => Array.from(first.sequence.keys()).filter((n) => first.sequence[n] === c));
          return chosen.reduce((sum, s) => sum + firstAccuracy(selectTokens(tables[s]!, tokens)) / S, 0);
        }).sort((a, b) => a - b);
        const { mean, low, high, seeds: bySeed } = resampled.of('a', 'accuracy@1');
        expect(bySeed).toEqual(tables.map((table) => expect.closeTo(firstAccuracy(table), 10)));
        expect(mean).toBeCloseTo(tables.reduce((sum, table) => sum + firstAccuracy(table), 0) / S, 10);
        // 2.5 % of 40 lies between the first two of the sorted values, nearest to the second.
        expect(low).toBeCloseTo(slow[0]! + 0.975 * (slow[1]! - slow[0]!), 10);
        expect(high).toBeCloseTo(slow[39]! - 0.975 * (slow[39]! - slow[38]!), 10);
      }),
      { numRuns: 25 },
    );
  });

  it('that disagree make the interval wide, however many documents there are', () => {
    const table = (right: number): TokenTable => {
      const tokens = 400;
      const column = <A>(array: A): A[] => [array, array];
      const floats = (): Float32Array => new Float32Array(tokens);
      return {
        tokens,
        loops: 2,
        logProb: column(floats()),
        entropy: column(floats()),
        confidence: column(floats()),
        hiddenChange: column(floats()),
        gateLogit: column(floats()),
        exitCdf: column(floats()),
        prediction: column(new Int32Array(tokens)),
        correct: column(Uint8Array.from({ length: tokens }, (_, n) => (n % 10 < right ? 1 : 0))),
        sequence: Int32Array.from({ length: tokens }, (_, n) => Math.floor(n / 10)),
        document: Int32Array.from({ length: tokens }, (_, n) => Math.floor(n / 10)),
        context: new Int32Array(tokens).fill(1),
      };
    };
    const spread = new Resampled(new Map([['a', sumsOf([table(2), table(5), table(8)])]]), { resamples: 200 });
    const alike = new Resampled(new Map([['a', sumsOf([table(5), table(5), table(5)])]]), { resamples: 200 });
    expect(spread.of('a', 'accuracy@1')).toMatchObject({ mean: expect.closeTo(0.5, 10) });
    expect(spread.of('a', 'accuracy@1').low).toBeLessThan(0.35);
    expect(alike.of('a', 'accuracy@1').low).toBeCloseTo(0.5, 10);
  });
});
