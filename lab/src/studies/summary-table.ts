/**
 * All outcomes in one table: LoopRPT and `tethered` against the best baseline of each, and `tethered` against plain training with its
 * weights interpolated alike. A study that another one confirms gives way to it.
 */
import { REGIMES } from './facts.js';
import { BUDGETS } from './planner.js';
import { bestBaseline, differenceOf, type Ends, type StudyResult } from './result.js';
import { pointsText, type Table, titleOf } from './table.js';
import { PLAIN_INTERPOLATED, TETHERED_ARM } from './variants.js';
import { overBest } from './verdict.js';

const ARMS = ['looprpt', TETHERED_ARM] as const;

const NOTE =
  'Points of accuracy, mean over 1 to all mean loops. In brackets: 95 % intervals, paired bootstrap over seeds and held-out documents.';

/** The studies whose word counts where the base knows the kind of data: those with claims that no other study confirms. */
export function decisive(results: readonly StudyResult[]): StudyResult[] {
  const confirmed = new Set(results.flatMap(({ study }) => study.confirms ?? []));
  return results.filter(({ study }) => study.claims !== false && study.regime !== 'd' && !confirmed.has(study.name));
}

/** A study in a line short enough for the README. @param folder where the studies' pages are */
export function shortTable(results: readonly StudyResult[], folder: string): Table {
  const shown = decisive(results);
  return {
    title: 'Area over the best baseline, equal training compute',
    columns: ['study', 'data', ...ARMS.map((arm) => nameOf(shown, arm))],
    rows: shown.map((result) => [
      linkTo(result, folder),
      REGIMES[result.study.regime],
      ...ARMS.map((arm) => pointsText(overBest(result, arm, 'compute'))),
    ]),
    note: NOTE,
  };
}

/** The same with both budgets, the names of the best baselines, and the preset against plain training. */
export function summaryTable(results: readonly StudyResult[], folder: string): Table {
  const shown = decisive(results);
  return {
    title: 'Area over the best baseline, both budgets',
    columns: [
      'study',
      'regime',
      ...ARMS.flatMap((arm) => BUDGETS.map((budget) => `${nameOf(shown, arm)}, equal ${budget}`)),
      `${nameOf(shown, TETHERED_ARM)} over stage I interpolated, equal compute`,
      'best baseline, tokens / compute',
    ],
    rows: shown.map((result) => [
      linkTo(result, folder),
      result.study.regime,
      ...ARMS.flatMap((arm) => BUDGETS.map((budget) => pointsText(overBest(result, arm, budget)))),
      pointsText(overPlain(result)),
      BUDGETS.map((budget) => titleOf(result, bestBaseline(result, budget, 'all') ?? '')).join(' / '),
    ]),
    note: `${NOTE} ${computeNote(shown)}`,
  };
}

function linkTo({ study }: StudyResult, folder: string): string {
  return `[${study.name}](${folder}${study.name}.md)`;
}

function computeNote(results: readonly StudyResult[]): string {
  const measured = results.filter(({ study }) => study.computeBy === 'cpu').map(({ study }) => study.name);
  return measured.length === 0
    ? 'Compute is in FLOPs.'
    : `Compute is in CPU seconds for ${measured.join(', ')}, and in FLOPs for the others.`;
}

function nameOf(results: readonly StudyResult[], arm: string): string {
  return results[0] ? titleOf(results[0], arm) : arm;
}

function overPlain(result: StudyResult): Ends | undefined {
  const want = { a: PLAIN_INTERPOLATED, b: TETHERED_ARM, budget: 'compute', part: 'all' } as const;
  const area = differenceOf(result, want)?.measures.area;
  return area && negated(area);
}

function negated([mean, low, high]: Ends): Ends {
  return [-mean, -high, -low];
}
