/** The first-contact job's result for the terminal. Accuracies in per cent. */
import { renderTable } from '../base/terminal/table.js';
import { aboutIntervals, fixed, intervalText, percent, signed } from '../eval/report/format.js';
import type { ComparisonResult, EvalResult } from '../eval/result.js';
import type { Comparison } from './compare.js';
import { verdictOf } from './verdict.js';

/** The threshold at which the adaptive columns stand. */
const TAU = 0.5;

export function startTables(comparison: Comparison, color: boolean): string {
  const { evaluations, comparisons } = comparison;
  return [modelTable(evaluations, color), differenceTable(comparisons, color), verdictOf(comparison)].join('\n\n');
}

function modelTable(evaluations: readonly EvalResult[], color: boolean): string {
  const { loops, perLoop } = evaluations[0]!;
  const columns = [
    'accuracy, %',
    ...perLoop.map(({ loop }) => `loop ${loop}`),
    `at τ ${TAU}`,
    'mean loops',
    'frontier',
    'area',
    'frontier, hard',
  ];
  const rows = evaluations.map((evaluation) => {
    const { model, adaptive, area, buckets, frontier } = evaluation;
    const at = adaptive.find(({ tau }) => tau === TAU)!;
    const areaOf = (value: number | undefined): string => (value === undefined ? '–' : percent(value));
    return [
      model,
      ...Array.from({ length: loops }, (_, k) => percent(evaluation.perLoop[k]!.accuracy)),
      percent(at.accuracy),
      fixed(at.meanLoops, 2),
      areaOf(frontier?.area),
      areaOf(area?.gate),
      areaOf(buckets.hard.frontier?.area),
    ];
  });
  return renderTable(columns, rows, { color });
}

/** The rows that answer the question: the frontier, over all tokens and over the hard ones. */
function differenceTable(comparisons: readonly ComparisonResult[], color: boolean): string {
  const areas = comparisons.filter(({ metric }) => metric.startsWith('frontier'));
  const rows = areas.map((comparison) => {
    const { a, b, metric, delta } = comparison;
    return [`${a} − ${b}`, metric, signed(100 * delta, 2), intervalText(comparison, 2, 100)];
  });
  const columns = ['difference, points', 'measure', 'mean', '95 % interval'];
  return [renderTable(columns, rows, { color }), ...aboutIntervals(areas)].join('\n');
}
