/** The frontier against its definition: the best accuracy at no more than d mean loops, looked up for one d after the other. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomTable } from '../../test-support/random-table.js';
import { chooseFrontier, chosenWithin, creditOf, crossFittedCredit, frontierArea, frontierShares } from './frontier.js';
import { scoreAt } from './score.js';
import { evenThresholds, exitsBySignal } from './thresholds.js';
import { selectTokens, type TokenTable } from './token-table.js';

const K = 4;
const point = fc.record({
  meanLoops: fc.integer({ min: 4, max: 16 }).map((quarters) => quarters / 4),
  accuracy: fc.integer({ min: 0, max: 20 }).map((twentieths) => twentieths / 20),
});
const points = fc.array(point, { minLength: 1, maxLength: 12 });

/** The best accuracy at no more than d; of the cheapest points where none is as cheap. */
function bestWithin(curve: readonly { meanLoops: number; accuracy: number }[], d: number): number {
  const least = Math.min(...curve.map(({ meanLoops }) => meanLoops));
  const cheap = curve.filter(({ meanLoops }) => meanLoops <= Math.max(d, least));
  return Math.max(...cheap.map(({ accuracy }) => accuracy));
}

describe('the frontier of points', () => {
  it('is the mean over d of the best accuracy at no more than d', () => {
    fc.assert(
      fc.property(points, (curve) => {
        // Costs are quarters, so the best is constant between them: middles of eighths hit every stretch alike.
        const middles = Array.from({ length: 24 }, (_, i) => 1 + (i + 0.5) / 8);
        const mean = middles.reduce((sum, d) => sum + bestWithin(curve, d), 0) / middles.length;
        expect(frontierArea(curve, K)).toBeCloseTo(mean, 10);
        expect(frontierShares(curve, K).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10);
        for (const d of [1, 1.5, 2, 4]) expect(curve[chosenWithin(curve, d)]!.accuracy).toBe(bestWithin(curve, d));
      }),
    );
  });

  it('does not count a dear threshold that is less accurate, which the plain area does', () => {
    const curve = [
      { meanLoops: 1, accuracy: 0.5 },
      { meanLoops: 2.5, accuracy: 0.7 },
      { meanLoops: 4, accuracy: 0.1 },
    ];
    expect(frontierArea(curve, K)).toBeCloseTo(0.6, 12);
    expect(frontierShares([curve[1]!], 1)).toEqual([1]);
  });
});

describe('credits', () => {
  it('of a choice are the accuracies of its thresholds, weighed by their shares', () => {
    fc.assert(
      fc.property(randomTable({ minLoops: 2, minTokens: 4 }), (table) => {
        const half = Math.floor(table.tokens / 2);
        const indices = Array.from({ length: table.tokens }, (_, n) => n);
        const [chosenOn, judged] = [indices.slice(0, half), indices.slice(half)].map((some) =>
          selectTokens(table, some),
        );
        const at = (part: TokenTable, threshold: number) => scoreAt(part, exitsBySignal(part.exitCdf, threshold));
        const choice = chooseFrontier(chosenOn!, { points: 9 });
        const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
        const credit = creditOf(judged!, choice);
        const expected = choice.thresholds.reduce(
          (sum, { threshold, share }) => sum + share * at(judged!, threshold).accuracy,
          0,
        );
        expect(mean(credit.area)).toBeCloseTo(expected, 10);
        const curve = evenThresholds(chosenOn!.exitCdf, 9).map((one) => at(chosenOn!, one));
        for (const [i, { loops, threshold }] of choice.within.entries()) {
          expect(mean(credit.within[i]!.right)).toBeCloseTo(at(judged!, threshold).accuracy, 10);
          expect(at(chosenOn!, threshold).accuracy).toBe(bestWithin(curve, loops));
        }
      }),
    );
  });

  it('are crosswise: no document has a say in the thresholds that it is judged by', () => {
    fc.assert(
      fc.property(randomTable({ minLoops: 2, minTokens: 6 }), (table) => {
        const before = crossFittedCredit(table).area;
        const numbers = [...new Set(table.document)];
        fc.pre(numbers.length > 1);
        // Other predictions in the first document can change only what the other half is judged by, and the document itself.
        const correct = table.correct.map((column) =>
          column.map((flag, n) => (table.document[n] === numbers[0] ? 1 - flag : flag)),
        );
        const after = crossFittedCredit({ ...table, correct }).area;
        for (const [n, value] of before.entries()) {
          const at = numbers.indexOf(table.document[n]!);
          if (at > 0 && at % 2 === 0) expect(after[n]).toBe(value);
        }
      }),
    );
  });
});
