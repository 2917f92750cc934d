/** The paper's points beside an outcome. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { paperTable } from './paper-points.js';
import { rowOf } from './result.js';
import { readResult } from './result-file.js';

it('has the gains of the paper, of the sizes that its text states, and those of an outcome', () => {
  const file = fileURLToPath(new URL('../../results/studies/math-confirm.json', import.meta.url));
  const result = readResult(file);
  const { rows, columns } = paperTable(result);
  const [small, large, ...ours] = rows;
  expect(small).toEqual([
    'the paper, Ouro-1.4B',
    '+0.5 / +0.2 / +0.8 / +0.7',
    '+0.8 / +0.2 / +0.4 / +0.6',
    '+0.8 / +1.1 / +1.3 / +1.2',
    '–',
  ]);
  expect(large!.at(-1)).toBe('3.51 → 34.35 to 2.29 → 35.2');
  for (const row of rows) expect(row).toHaveLength(columns.length);
  const [base, stage1] = ['base', 'stage1'].map((arm) => rowOf(result, arm, 'tokens')!);
  const at = (row: typeof base): number => row!.summary.buckets.hard.perLoop[3]!.accuracy.mean;
  const hard = ours.find(([title]) => title === stage1!.title)![3]!;
  expect(Number(hard.split(' / ')[3]!.replace('−', '-'))).toBeCloseTo(100 * (at(stage1!) - at(base!)), 0);
});
