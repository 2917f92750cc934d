import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { TokenTable } from 'looprpt/internal/eval/token-table.js';
import { describe, expect, it } from 'vitest';
import { randomPair } from '../../../../packages/looprpt/test-support/random-table.js';
import { REPOSITORY } from '../../studies/publish.js';
import { CASES } from './cases.js';
import { measured } from './measure.js';
import { PAGE, pageWith, RESULT_FILE } from './page.js';
import type { QuantisedResult } from './run.js';
import { quantisedTable } from './table.js';

const row = { accuracy: [0.5, 0.25], perplexity: 2, sameExit: null, difference: null };
const RESULT: QuantisedResult = {
  bench: 'quantised',
  settings: { split: 'heldout', seed: 1, resamples: 1000, fitPasses: 2 },
  cpu: 'a processor',
  results: [
    {
      ...{ model: 'hop-base', data: 'task:hop', documents: 40, tokens: 1000, calibrationTokens: 32_768 },
      rows: [
        { weights: 'float32', ...row },
        { weights: 'int4', ...row, sameExit: 0.875, difference: { value: -0.0123, low: -0.02, high: 0.00001 } },
      ],
    },
  ],
};

describe('the quality of quantised weights', () => {
  it('is counted token by token, and compared with float32 on the same ones', () => {
    const exit = ({ exitCdf, loops }: TokenTable, n: number): number =>
      exitCdf.findIndex((cdf, k) => k === loops - 1 || cdf[n]! >= 0.5);
    fc.assert(
      fc.property(randomPair(), ([table, reference]) => {
        const { correct, logProb, tokens: N, loops: K } = table;
        const share = (count: (n: number) => number): number =>
          Array.from({ length: N }, (_, n) => count(n)).reduce((sum, value) => sum + value, 0) / N;
        const before = { name: 'float32', table: reference };
        const own = measured(before, null, { resamples: 20 });
        const other = measured({ name: 'int4', table }, before, { resamples: 20 });
        expect(own).toMatchObject({ weights: 'float32', sameExit: null, difference: null });
        for (const [k, accuracy] of other.accuracy.entries())
          expect(accuracy).toBeCloseTo(share((n) => correct[k]![n]!));
        expect(other.perplexity).toBeCloseTo(Math.exp(-share((n) => logProb[K - 1]![n]!)));
        expect(other.sameExit).toBeCloseTo(share((n) => Number(exit(table, n) === exit(reference, n))));
        expect(other.difference!.value).toBeCloseTo(other.accuracy[K - 1]! - own.accuracy[K - 1]!);
      }),
    );
  });

  it('is shown in per cent and points', () => {
    expect(quantisedTable(RESULT).split('\n')).toEqual([
      '| model | weights | loop 1 | 2 | difference at the last | perplexity | same exit |',
      '| :-- | :-- | --: | --: | --: | --: | --: |',
      '| `hop-base`, 1,000 tokens of 40 documents of task:hop | float32 | 50.00 | 25.00 |  | 2.000 |  |',
      '|  | int4 | 50.00 | 25.00 | −1.23 (−2.00 to 0.00) | 2.000 | 87.5 |',
      '',
      'Split heldout, documents of seed 1; 1,000 resamples of documents; a processor.',
      'Calibrated on tokens of other documents: 32,768 (`hop-base`); fitted in 2 passes of them.',
    ]);
  });

  it('stands in the documentation as it was measured', () => {
    const page = readFileSync(join(REPOSITORY, PAGE), 'utf8');
    const result = JSON.parse(readFileSync(join(REPOSITORY, RESULT_FILE), 'utf8')) as QuantisedResult;
    expect(result.results.map(({ model }) => model)).toEqual(CASES.map(({ model }) => model));
    expect(pageWith(page, result)).toBe(page);
  });

  it('stands in the page between its marks alone', () => {
    const page = pageWith('# Before\n', RESULT);
    expect(pageWith(page, RESULT)).toBe(page);
    expect(page.startsWith('# Before\n')).toBe(true);
  });
});
