/** Sums per document: the measures made of them are those of the whole table, with any weights. */
import fc from 'fast-check';
import { scoreAdaptive } from 'looprpt/internal/eval/adaptive.js';
import { areaUnder } from 'looprpt/internal/eval/area.js';
import { chooseFrontier, creditOf } from 'looprpt/internal/eval/frontier.js';
import { scorePerLoop } from 'looprpt/internal/eval/per-loop.js';
import { thresholdSettings } from 'looprpt/internal/eval/rule-curves.js';
import { scoreAt } from 'looprpt/internal/eval/score.js';
import { selectTokens, sequenceCount, type TokenTable } from 'looprpt/internal/eval/token-table.js';
import { describe, expect, it } from 'vitest';
import { randomTable } from '../../../packages/looprpt/test-support/random-table.js';
import { type DocumentSums, decodeSums, documentSums, encodeSums, heightAt, measuresOf, TAU } from './document-sums.js';

/** The table with the tokens of document c repeated weights[c] times. */
function repeated(table: TokenTable, weights: readonly number[]): TokenTable {
  const indices = Array.from({ length: table.tokens }, (_, n) =>
    new Array<number>(weights[table.sequence[n]!]!).fill(n),
  ).flat();
  return selectTokens(table, indices);
}

describe('measures', () => {
  it('without weights are those of the evaluation', () => {
    fc.assert(
      fc.property(randomTable({ minLoops: 2 }), (table) => {
        const measures = measuresOf(documentSums(table, sequenceCount(table)));
        for (const { loop, accuracy, crossEntropy } of scorePerLoop(table)) {
          expect(measures.get(`accuracy@${loop}`)).toBeCloseTo(accuracy, 10);
          expect(measures.get(`crossEntropy@${loop}`)).toBeCloseTo(crossEntropy, 6);
        }
        const [adaptive] = scoreAdaptive(table, [TAU]);
        expect(measures.get('accuracy@τ')).toBeCloseTo(adaptive!.accuracy, 10);
        expect(measures.get('loops@τ')).toBeCloseTo(adaptive!.meanLoops, 10);
        const curve = thresholdSettings(table, 'gate').map(({ exits }) => scoreAt(table, exits));
        expect(measures.get('area')).toBeCloseTo(areaUnder(curve, table.loops), 10);
      }),
    );
  });

  it('with weights are those of the table in which every document stands as often as its weight says', () => {
    fc.assert(
      fc.property(randomTable({ minLoops: 2 }), fc.infiniteStream(fc.nat({ max: 3 })), (table, stream) => {
        const weights = Array.from({ length: sequenceCount(table) }, () => stream.next().value!);
        const wide = repeated(table, weights);
        fc.pre(wide.tokens > 0);
        const measures = measuresOf(documentSums(table, weights.length), Float64Array.from(weights));
        for (const { loop, accuracy, crossEntropy } of scorePerLoop(wide)) {
          expect(measures.get(`accuracy@${loop}`)).toBeCloseTo(accuracy, 10);
          expect(measures.get(`crossEntropy@${loop}`)).toBeCloseTo(crossEntropy, 6);
        }
        expect(measures.get('loops@τ')).toBeCloseTo(scoreAdaptive(wide, [TAU])[0]!.meanLoops, 10);
      }),
    );
  });

  it('of a part of the tokens say how far its area lies above that of all, with and without weights', () => {
    fc.assert(
      fc.property(
        randomTable({ minTokens: 6, minLoops: 2 }),
        fc.infiniteStream(fc.nat({ max: 3 })),
        (table, stream) => {
          const documents = sequenceCount(table);
          const part = selectTokens(
            table,
            Array.from({ length: Math.ceil(table.tokens / 2) }, (_, i) => 2 * i),
          );
          const weights = Array.from({ length: documents }, () => stream.next().value!);
          fc.pre(repeated(part, weights).tokens > 0);
          const [whole, ofPart] = [documentSums(table, documents), documentSums(part, documents)];
          for (const drawn of [undefined, Float64Array.from(weights)]) {
            const area = (sums: DocumentSums): number => measuresOf(sums, drawn).get('area')!;
            const measures = measuresOf({ ...ofPart, whole }, drawn);
            expect(measures.get('area beyond all')).toBeCloseTo(area(ofPart) - area(whole), 12);
          }
          expect(measuresOf(whole).has('area beyond all')).toBe(false);
        },
      ),
    );
  });

  it('have the frontier of a choice made elsewhere, with weights, and after being written down', () => {
    fc.assert(
      fc.property(randomTable({ minLoops: 2 }), fc.infiniteStream(fc.nat({ max: 3 })), (table, stream) => {
        const documents = sequenceCount(table);
        const choice = chooseFrontier(table, { points: 5, budgets: [1.5] });
        const weights = Array.from({ length: documents }, () => stream.next().value!);
        const wide = repeated(table, weights);
        fc.pre(wide.tokens > 0);
        const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / wide.tokens;
        const { area, within } = creditOf(wide, choice);
        const back = decodeSums(encodeSums(documentSums(table, documents, { choice })));
        const measures = measuresOf(back, Float64Array.from(weights));
        expect(measures.get('frontier')).toBeCloseTo(mean(area), 5);
        for (const { loops, right } of within) expect(measures.get(`accuracy ≤ ${loops}`)).toBeCloseTo(mean(right), 5);
        expect(measuresOf({ ...back, whole: back }).get('frontier beyond all')).toBeCloseTo(0, 10);
      }),
    );
  });

  it('survive being written down: counts exactly, losses as float32', () => {
    fc.assert(
      fc.property(randomTable(), (table) => {
        const sums = documentSums(table, sequenceCount(table) + 1);
        const back = decodeSums(JSON.parse(JSON.stringify(encodeSums(sums))));
        expect(back.rows).toEqual(sums.rows.map((row) => row.map(Math.fround)));
        expect({ documents: back.documents, loops: back.loops }).toEqual({
          documents: sums.documents,
          loops: sums.loops,
        });
      }),
    );
  });
});

describe('the height of a curve', () => {
  const curve = [
    { meanLoops: 3, accuracy: 0.9 },
    { meanLoops: 1.5, accuracy: 0.6 },
  ];

  it('is straight between its points and flat beyond them', () => {
    expect(heightAt(curve, 1)).toBe(0.6);
    expect(heightAt(curve, 2)).toBeCloseTo(0.7, 12);
    expect(heightAt(curve, 3)).toBe(0.9);
    expect(heightAt(curve, 4)).toBe(0.9);
  });
});
