/**
 * All outcomes in one table: the method as written and our preset against the best baseline of each, and the preset against plain
 * training with its weights drawn back alike. A study that another one put to the test gives way to it.
 */
import { BUDGETS, type Budget } from './planner.js';
import { bestBaseline, differenceOf, type Ends, type StudyResult } from './result.js';
import { pointsText, type Table, titleOf } from './table.js';
import { PLAIN_DRAWN_BACK, PRESET } from './variants.js';

const ARMS = ['looprpt', PRESET] as const;

/** @param page where the studies' sections are; '' for this page */
export function summaryTable(results: readonly StudyResult[], page: string): Table {
  const tested = new Set(results.flatMap(({ study }) => study.confirms ?? []));
  const shown = results.filter(({ study }) => study.claims !== false && !tested.has(study.name));
  return {
    title: 'Area over the best baseline',
    columns: [
      'study',
      'regime',
      ...ARMS.flatMap((arm) => BUDGETS.map((budget) => `${nameOf(shown, arm)}, equal ${budget}`)),
      `${nameOf(shown, PRESET)} over stage I drawn back, equal compute`,
      'best baseline, tokens / compute',
    ],
    rows: shown.map((result) => [
      `[${result.study.title}](${page}#${anchorOf(result.study.title)})`,
      result.study.regime,
      ...ARMS.flatMap((arm) => BUDGETS.map((budget) => overBest(result, arm, budget))),
      overPlain(result),
      BUDGETS.map((budget) => titleOf(result, bestBaseline(result, budget, 'all') ?? '')).join(' / '),
    ]),
    note: `Points of a per cent of accuracy, mean over the curve from 1 to all mean loops; 95 % intervals of a paired bootstrap over seeds and held-out documents. ${computeNote(shown)}`,
  };
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

/** The anchor that a heading gets where Markdown is shown. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-');
}

function overBest(result: StudyResult, arm: string, budget: Budget): string {
  const best = bestBaseline(result, budget, 'all');
  return pointsText(best ? differenceOf(result, { a: arm, b: best, budget, part: 'all' })?.measures.area : undefined);
}

function overPlain(result: StudyResult): string {
  const want = { a: PLAIN_DRAWN_BACK, b: PRESET, budget: 'compute', part: 'all' } as const;
  const area = differenceOf(result, want)?.measures.area;
  return pointsText(area && negated(area));
}

function negated([mean, low, high]: Ends): Ends {
  return [-mean, -high, -low];
}
