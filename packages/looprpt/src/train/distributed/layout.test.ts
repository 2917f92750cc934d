import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BucketPlan, planBuckets, shardOf } from './layout.js';

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
const limits = fc.integer({ min: 1, max: 100 });

/** By parameter and element, where in its bucket it lies. */
function placesOf(plans: readonly BucketPlan[]): Map<number, { bucket: number; at: number[] }> {
  const places = new Map<number, { bucket: number; at: number[] }>();
  for (const [bucket, { parameters }] of plans.entries()) {
    for (const { index, pieces } of parameters) {
      expect(places.has(index)).toBe(false);
      const at: number[] = [];
      for (const { from, offset, shape, strides } of pieces) {
        expect(from).toBe(at.length);
        const [rows, columns] = shape.length === 2 ? (shape as [number, number]) : [1, shape[0]!];
        const [down, right] = strides.length === 2 ? (strides as [number, number]) : [0, strides[0]!];
        for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) at.push(offset + r * down + c * right);
      }
      places.set(index, { bucket, at });
    }
  }
  return places;
}

describe('buckets', () => {
  it('hold every element of every parameter once, whole ones in a row', () => {
    fc.assert(
      fc.property(sizes, limits, (all, limit) => {
        const places = placesOf(planBuckets(all, 1, limit));
        all.forEach((n, index) => {
          const { at } = places.get(index)!;
          expect(at).toEqual(Array.from({ length: n }, (_, i) => at[0]! + i));
        });
      }),
    );
  });

  it('are no larger than the limit but for a parameter alone, and go from the last parameter to the first', () => {
    fc.assert(
      fc.property(sizes, limits, (all, limit) => {
        const plans = planBuckets(all, 1, limit);
        for (const { parameters, chunk } of plans) expect(parameters.length === 1 || chunk <= limit).toBe(true);
        const order = plans.flatMap(({ parameters }) => parameters.map(({ index }) => index));
        expect(order).toEqual(all.map((_, i) => all.length - 1 - i));
      }),
    );
  });

  it("sharded: row r of a bucket holds exactly rank r's elements, at the same columns for all ranks", () => {
    fc.assert(
      fc.property(sizes, limits, fc.integer({ min: 2, max: 7 }), (all, limit, size) => {
        const plans = planBuckets(all, size, limit);
        const places = placesOf(plans);
        all.forEach((n, index) => {
          const { bucket, at } = places.get(index)!;
          const { chunk, rows, parameters } = plans[bucket]!;
          const { column, columns } = parameters.find((parameter) => parameter.index === index)!;
          expect([rows, at.length]).toEqual([size, n]);
          for (let rank = 0; rank < size; rank++) {
            const [from, to] = shardOf(n, rank, size);
            expect(to - from).toBeLessThanOrEqual(columns);
            const own = Array.from({ length: to - from }, (_, i) => rank * chunk + column + i);
            expect(at.slice(from, to)).toEqual(own);
          }
        });
        // No two elements share a place.
        const taken = [...places.values()].flatMap(({ bucket, at }) => at.map((place) => `${bucket}:${place}`));
        expect(new Set(taken).size).toBe(taken.length);
      }),
    );
  });
});
