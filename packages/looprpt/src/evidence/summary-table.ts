/** All outcomes in one table, for the README: the method as written and our preset against the best baseline of each. */
import { BUDGETS, type Budget } from './planner.js';
import { bestBaseline, differenceOf, type StudyResult } from './result.js';
import { pointsText, type Table, titleOf } from './table.js';
import { PRESET } from './variants.js';

const ARMS = ['looprpt', PRESET] as const;

export function summaryTable(results: readonly StudyResult[]): Table {
  const shown = results.filter(({ study }) => study.claims !== false);
  return {
    title: 'Area over the best baseline',
    columns: [
      'study',
      'regime',
      ...ARMS.flatMap((arm) => BUDGETS.map((budget) => `${nameOf(shown, arm)}, equal ${budget}`)),
      'best baseline, tokens / compute',
    ],
    rows: shown.map((result) => [
      `[${result.study.title}](docs/evidence.md)`,
      result.study.regime,
      ...ARMS.flatMap((arm) => BUDGETS.map((budget) => overBest(result, arm, budget))),
      BUDGETS.map((budget) => titleOf(result, bestBaseline(result, budget, 'all') ?? '')).join(' / '),
    ]),
    note: 'Points of a per cent of accuracy, mean over the curve from 1 to 4 mean loops; 95 % intervals of a paired bootstrap over 5 seeds and held-out documents.',
  };
}

function nameOf(results: readonly StudyResult[], arm: string): string {
  return results[0] ? titleOf(results[0], arm) : arm;
}

function overBest(result: StudyResult, arm: string, budget: Budget): string {
  const best = bestBaseline(result, budget, 'all');
  return pointsText(best ? differenceOf(result, { a: arm, b: best, budget, part: 'all' })?.measures.area : undefined);
}
