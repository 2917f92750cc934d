/** Thinned series against the plain definition of what a bucket is, and that neither time nor memory shapes them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CAPACITY, Series, type ThinSeries } from './series.js';

interface Point {
  step: number;
  loss: number | null;
}

/** Steps with gaps, as skipped ones leave them, and values that are missing here and there. */
const points = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.option(fc.double({ noNaN: true, min: -1e6, max: 1e6 }))), {
    maxLength: 1500,
    size: 'max',
  })
  .map((gaps) => {
    let step = 0;
    return gaps.map(([gap, loss]): Point => {
      step += gap;
      return { step, loss };
    });
  });

function seriesOf(all: readonly Point[]): Series {
  const series = new Series();
  for (const [i, point] of all.entries()) expect(series.add({ ...point }, 100 * i)).toBe(true);
  return series;
}

/** By definition: the width is the least power of two for which no more buckets than allowed hold a step. */
function slow(all: readonly Point[], most: number): ThinSeries {
  const bucket = ({ step }: Point, width: number): number => Math.floor((step - 1) / width);
  let width = 1;
  while (new Set(all.map((point) => bucket(point, width))).size > most) width *= 2;
  const groups = new Map<number, Point[]>();
  for (const point of all) groups.set(bucket(point, width), [...(groups.get(bucket(point, width)) ?? []), point]);
  const values = [...groups.values()].map((group) => group.flatMap(({ loss }) => loss ?? []));
  const of = (f: (found: number[]) => number) => values.map((found) => (found.length === 0 ? null : f(found)));
  return {
    width,
    steps: [...groups.values()].map((group) => group.at(-1)!.step),
    columns: {
      loss: {
        mean: of((found) => found.reduce((a, b) => a + b, 0) / found.length),
        min: of((found) => Math.min(...found)),
        max: of((found) => Math.max(...found)),
      },
    },
  };
}

function expectSame(got: ThinSeries, expected: ThinSeries): void {
  expect([got.width, got.steps]).toEqual([expected.width, expected.steps]);
  const { loss } = got.columns;
  if (!loss) {
    expect(expected.columns.loss!.max.every((value) => value === null)).toBe(true);
    return;
  }
  // Smallest and largest are kept as they are.
  expect([loss.min, loss.max]).toEqual([expected.columns.loss!.min, expected.columns.loss!.max]);
  for (const [i, mean] of loss.mean.entries()) {
    const wanted = expected.columns.loss!.mean[i]!;
    if (mean === null) expect(wanted).toBe(null);
    else expect(Math.abs(mean - wanted)).toBeLessThanOrEqual(1e-6 * (1 + Math.abs(wanted)));
  }
}

describe('a thinned series', () => {
  it('is what buckets are by definition, however few are asked for', () => {
    fc.assert(
      fc.property(points, fc.integer({ min: 1, max: 2 * CAPACITY }), (all, most) => {
        const got = seriesOf(all).read(['loss'], { points: most });
        expectSame(got, slow(all, Math.min(most, CAPACITY)));
      }),
      { numRuns: 60 },
    );
  });

  it('keeps the one spike of a long run, and takes no more room for it', () => {
    const series = new Series();
    for (let step = 1; step <= 100_000; step++) series.add({ step, loss: step === 77_777 ? 1e9 : 1 }, 0);
    const { steps, columns } = series.read(['loss'], { points: 300 });
    expect(steps.length).toBeLessThanOrEqual(300);
    expect(Math.max(...columns.loss!.max.map(Number))).toBe(1e9);
    expect(series.read(['loss'], { points: 10_000 }).steps.length).toBeLessThanOrEqual(CAPACITY);
  });

  it('reads a range alone, and knows where it lies in the file', () => {
    const series = seriesOf(Array.from({ length: 2000 }, (_, i) => ({ step: i + 1, loss: i })));
    const { width, steps } = series.read(['loss'], { points: 2000, from: 501, to: 600 });
    expect(steps[0]! - width).toBeLessThan(501);
    expect(steps.at(-1)!).toBeGreaterThanOrEqual(600);
    expect(steps.at(-1)! - width).toBeLessThan(600);
    const bytes = series.bytesOf(501, 600)!;
    // A record each hundred bytes: the bytes hold the range, and no more than its first and last bucket beside it.
    expect(bytes.begin).toBeLessThanOrEqual(100 * 500);
    expect(bytes.end!).toBeGreaterThanOrEqual(100 * 600);
    expect(bytes.end! - bytes.begin).toBeLessThanOrEqual(100 * (100 + 2 * width));
  });

  it('takes no step twice, nothing that is no number, and no end of names', () => {
    const series = new Series();
    expect(series.add({ step: 2, loss: 1, parts: { a: 2, b: 'x' }, exitHistogram: [0.5, null, 0.25] }, 0)).toBe(true);
    for (const step of [2, 1, 2.5, '3', null]) expect(series.add({ step, loss: 1 }, 0)).toBe(false);
    expect(series.columnNames).toEqual(['loss', 'parts.a', 'exitHistogram.1', 'exitHistogram.3']);
    series.add({ step: 3, ...Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`x${i}`, i])) }, 0);
    expect(series.columnNames.length).toBe(300);
  });
});
