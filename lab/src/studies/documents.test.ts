/** Sequences back to their documents, against documents whose every id says where it is from. */
import fc from 'fast-check';
import { loaderConfig, PackedLoader } from 'looprpt/internal/data/loader/packed-loader.js';
import { sequenceCount } from 'looprpt/internal/eval/token-table.js';
import { describe, expect, it } from 'vitest';
import { randomTable } from '../../../packages/looprpt/test-support/random-table.js';
import { documentSums, measuresOf } from './document-sums.js';
import { documentsOfSequences, sumsByDocument } from './documents.js';

const END = 1;

const documents = fc.array(
  fc.record({ length: fc.integer({ min: 1, max: 14 }), prompt: fc.integer({ min: 0, max: 9 }) }),
  {
    minLength: 1,
    maxLength: 12,
  },
);

describe('documentsOfSequences', () => {
  it('finds the document of every piece that has counted targets, cut or whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        documents,
        fc.constantFrom('greedy' as const, 'whole' as const),
        fc.integer({ min: 2, max: 9 }),
        async (given, pack, S) => {
          // Document d holds 100·(d + 1) + place, then the end; its first `prompt` ids do not count.
          const source = {
            id: 'made up',
            length: given.length,
            tokens: (d: number) => {
              const { length, prompt } = given[d]!;
              const ids = Int32Array.from({ length: length + 1 }, (_, t) => (t === length ? END : 100 * (d + 1) + t));
              return { ids, loss: Uint8Array.from(ids, (_, t) => Number(t >= prompt)) };
            },
          };
          const shape = loaderConfig.parse({ batchSize: 2, sequenceLength: S, pack, window: 3, shuffle: false });
          const batches = [];
          for await (const batch of new PackedLoader(source, shape)) batches.push(batch);
          const expected = batches.flatMap(({ B, inputIds, segmentIds, lossMask }) => {
            const found = new Map<string, number>();
            for (let at = 0; at < B * S; at++)
              if (lossMask[at]) found.set(`${Math.floor(at / S)} ${segmentIds[at]}`, Math.floor(inputIds[at]! / 100));
            return [...found.values()];
          });
          const present = [...new Set(expected)];
          expect(documentsOfSequences(batches, END)).toEqual(expected.map((d) => present.indexOf(d)));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('sumsByDocument', () => {
  it('changes no measure over all documents, and adds up what weights say', () => {
    fc.assert(
      fc.property(randomTable({ minTokens: 4, minLoops: 2 }), (table) => {
        const sequences = sequenceCount(table);
        const sums = documentSums(table, sequences);
        const documentOf = Array.from({ length: sequences }, (_, i) => i >> 1);
        const grouped = sumsByDocument(sums, documentOf);
        expect(grouped.documents).toBe(Math.ceil(sequences / 2));
        const [whole, byDocument] = [measuresOf(sums), measuresOf(grouped)];
        for (const [name, value] of whole) expect(byDocument.get(name)).toBeCloseTo(value, 10);
        const weights = Float64Array.from({ length: grouped.documents }, (_, d) => (d % 3) + 1);
        const spread = measuresOf(
          sums,
          Float64Array.from(documentOf, (d) => weights[d]!),
        );
        const drawn = measuresOf(grouped, weights);
        for (const [name, value] of spread) expect(drawn.get(name)).toBeCloseTo(value, 10);
      }),
      { numRuns: 50 },
    );
  });
});
