/** The page's parts that need no browser: which curves there are, what is made of them, what is exported. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { curvesCsv, readable, smoothed, valueAt } from './client/curve-data.js';
import { exitColumns, quantitiesOf } from './client/quantities.js';

describe('quantities', () => {
  it('stand in the order that people look at them, parts and loops where they belong, unknown ones last', () => {
    const columns = new Set([
      ...['tokens', 'seconds', 'own', 'memoryBytes', 'rewardByLoop.1', 'rewardByLoop.2', 'parts.gate', 'loss'],
      ...['exitHistogram.1', 'exitHistogram.10', 'exitHistogram.2', 'meanLoops', 'klTeacher', 'parts.klTeacher'],
    ]);
    expect(quantitiesOf(columns).map(({ title }) => title)).toEqual([
      ...['Loss', 'Mean loops', 'Loss part: gate', 'Reward after loop 1', 'Reward after loop 2'],
      ...['KL to the teacher (nats)', 'Memory (GiB)', 'own'],
    ]);
    expect(exitColumns(columns)).toEqual(['exitHistogram.1', 'exitHistogram.2', 'exitHistogram.10']);
  });
});

describe('smoothing', () => {
  it('is the weighted mean of what came so far', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.double({ min: -1e3, max: 1e3, noNaN: true })), { minLength: 1, maxLength: 40 }),
        fc.double({ min: 0, max: 0.98, noNaN: true }),
        (values, weight) => {
          smoothed(values, weight).forEach((got, i) => {
            if (values[i] === null) {
              expect(got).toBe(null);
              return;
            }
            const known = values.slice(0, i + 1).filter((value) => value !== null);
            const weights = known.map((_, j) => weight ** (known.length - 1 - j));
            const total = weights.reduce((a, b) => a + b, 0);
            const mean = known.reduce((sum, value, j) => sum + value * weights[j]!, 0) / total;
            expect(got).toBeCloseTo(mean, 6);
          });
        },
      ),
    );
  });
});

describe('a curve', () => {
  const curve = { steps: [4, 8, 10], mean: [1, null, 3], min: [0, null, 2], max: [2, null, 4] };

  it('is read at any step of a bucket', () => {
    expect([1, 4, 5, 8, 9, 10, 11].map((step) => valueAt(curve, step))).toEqual([1, 1, null, null, 3, 3, null]);
    expect(valueAt({ steps: [], mean: [], min: [], max: [] }, 1)).toBe(null);
  });

  it('is exported with its range, under names that are text in a spreadsheet too', () => {
    expect(curvesCsv('loss', [{ name: '=1+1,"x"', curve }])).toBe(
      'run,step,loss mean,loss min,loss max\n"\'=1+1,""x""",4,1,0,2\n"\'=1+1,""x""",8,,,\n"\'=1+1,""x""",10,3,2,4\n',
    );
  });

  it('has numbers of a few digits', () => {
    expect([null, 0, 1234.567, 1.5e-7, 2e9, -0.25].map(readable)).toEqual([
      '–',
      '0',
      '1235',
      '1.50e-7',
      '2.00e+9',
      '-0.25',
    ]);
  });
});
