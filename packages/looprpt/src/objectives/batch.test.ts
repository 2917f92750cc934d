import { scope } from '@looprpt/engine';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchWithSilentRow } from '../../test-support/looprpt-case.js';
import { isVisible, rotaryPositions } from '../../test-support/slow/slow-loop-lm.js';
import { countedPlaces, type SlowBatch, targetAt, UNCOUNTED } from '../../test-support/slow/slow-readout.js';
import { batchOf, packedOf } from '../../test-support/slow-bridge.js';
import { BatchRow, emptyBatch, type PackedBatch } from '../data/loader/batch.js';
import { trainingBatch } from './batch.js';

const S = 8;

/** A row of documents, each with some places that count, and the rest padding. */
const row = fc
  .array(
    fc.array(fc.record({ id: fc.nat(9), target: fc.nat(9), counts: fc.boolean() }), { minLength: 1, maxLength: 5 }),
    {
      minLength: 0,
      maxLength: 4,
    },
  )
  .map((documents) => {
    const places = documents
      .flatMap((document, segment) => document.map((place) => ({ ...place, segment })))
      .slice(0, S);
    const padding = Array.from({ length: S - places.length }, (_, i) => ({
      id: 0,
      target: 0,
      counts: false,
      segment: -1 - i,
    }));
    return [...places, ...padding];
  });

const anyBatch = fc.array(row, { minLength: 1, maxLength: 3 }).map(
  (rows): SlowBatch => ({
    ids: rows.map((places) => places.map((place) => place.id)),
    segments: rows.map((places) => places.map((place) => place.segment)),
    targets: rows.map((places) => places.map((place) => (place.counts ? place.target : UNCOUNTED))),
  }),
);

test('property: what each place sees, its position and what counts are those of the slow loop', () => {
  fc.assert(
    fc.property(anyBatch, (slow) => {
      scope(() => {
        const batch = batchOf(slow);
        expect([batch.B, batch.T]).toEqual([slow.ids.length, S]);
        expect(batch.idsBT.toArray()).toEqual(slow.ids);
        const firstKeys = slow.ids.map((ids, b) =>
          ids.map((_, s) => ids.findIndex((_, j) => isVisible(slow, b, s, j))),
        );
        const plain = firstKeys.flat().every((first) => first === 0);
        if (plain) expect([batch.firstKeyBT, batch.positionsBT]).toEqual([null, null]);
        else {
          expect(batch.firstKeyBT!.toArray()).toEqual(firstKeys);
          expect(batch.positionsBT!.toArray()).toEqual(rotaryPositions(slow));
        }
        const places = countedPlaces(slow);
        const flat = places.map(({ row, position }) => row * S + position);
        expect([...batch.counted]).toEqual(flat);
        expect([...batch.countedN.toNumbers()]).toEqual(flat);
        expect([...batch.targetsN.toNumbers()]).toEqual(places.map((place) => targetAt(slow, place)));
        expect(batch.targetsBT.shape).toEqual([slow.ids.length * S]);
        expect(batch.tokens).toBe(slow.segments!.flat().filter((segment) => segment >= 0).length);
      });
    }),
    { numRuns: 60 },
  );
});

test('by hand: documents, masked places and padding', () => {
  scope(() => {
    const batch = batchOf(batchWithSilentRow);
    expect(batch.firstKeyBT!.toArray()).toEqual([
      [0, 0, 0, 3, 3, 3],
      [0, 0, 2, 2, 2, 2],
      [0, 0, 0, 0, 4, 5],
    ]);
    expect(batch.positionsBT!.toArray()).toEqual([
      [0, 1, 2, 0, 1, 2],
      [0, 1, 0, 1, 2, 3],
      [0, 1, 2, 3, 0, 0],
    ]);
    expect([...batch.counted]).toEqual([0, 1, 2, 4, 5, 13, 14]);
    expect(batch.targetsN.toArray()).toEqual([1, 4, 2, 9, 2, 5, 3]);
    expect(batch.tokens).toBe(16);
  });
});

test('as the loader packs: rows of one document each need no tables, one padded row makes them needed', () => {
  const packed = (lengths: number[]): PackedBatch => {
    const batch = emptyBatch(lengths.length, 4);
    lengths.forEach((length, b) => {
      const filled = new BatchRow(batch, b);
      filled.place({ ids: Uint32Array.from({ length: length + 1 }, (_, i) => i + 1), loss: null }, 0, length, b);
      filled.finish(0);
    });
    return batch;
  };
  scope(() => {
    const plain = trainingBatch(packed([4, 4]), 'cpu');
    expect([plain.firstKeyBT, plain.positionsBT]).toEqual([null, null]);
    const padded = trainingBatch(packed([4, 2]), 'cpu');
    expect(padded.firstKeyBT!.toArray()).toEqual([
      [0, 0, 0, 0],
      [0, 0, 2, 3],
    ]);
    expect([...padded.counted]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(padded.tokens).toBe(6);
  });
});

test('positions that do not count from the start of the row are kept, also without documents', () => {
  const packed = packedOf({ ids: [[1, 2, 3]], targets: [[2, 3, 4]] });
  packed.positionIds.set([5, 6, 7]);
  scope(() => {
    const batch = trainingBatch(packed, 'cpu');
    expect(batch.firstKeyBT).toBeNull();
    expect(batch.positionsBT!.toArray()).toEqual([[5, 6, 7]]);
  });
});

test('a batch in which nothing counts has no places', () => {
  scope(() => {
    const batch = batchOf({ ids: [[1, 2]], targets: [[UNCOUNTED, UNCOUNTED]] });
    expect(batch.counted).toHaveLength(0);
    expect([batch.countedN.shape, batch.targetsN.shape]).toEqual([[0], [0]]);
  });
});
