/** All figures of a study, drawn from its committed outcome. */
import { depthFigure } from 'looprpt/internal/eval/report/figures/depth.js';
import { rulesFigure } from 'looprpt/internal/eval/report/figures/exit-rules.js';
import type { Figure } from 'looprpt/internal/eval/report/figures/figure.js';
import { seriesStyles } from 'looprpt/internal/eval/report/figures/palette.js';
import { difficultyParetoFigure, paretoFigure } from 'looprpt/internal/eval/report/figures/pareto.js';
import type { Evaluated } from 'looprpt/internal/eval/report/figures/pareto-data.js';
import type { Budget } from '../planner.js';
import type { StudyResult } from '../result.js';
import { rowsShown } from '../shown.js';
import { budgetsOf } from '../table.js';
import { forestFigure } from './forest.js';

const WITH_BUDGET: Record<Budget, string> = { tokens: 'equal tokens', compute: 'equal compute' };

/** Figures that stand in docs/results: by their id the names of their files; folded ones are shown when asked for. */
export const FIGURES: readonly { id: string; file: string; title: string; budget?: Budget; folded?: boolean }[] = [
  { id: 'forest', file: 'forest', title: "The difference of every arm's area to the best baseline's, with intervals" },
  {
    id: 'pareto-tokens',
    file: 'pareto',
    title: 'Accuracy against mean loops and FLOPs, equal tokens',
    budget: 'tokens',
  },
  {
    id: 'pareto-compute',
    file: 'pareto-compute',
    title: 'The same for equal compute',
    budget: 'compute',
    folded: true,
  },
  { id: 'forest-hard', file: 'forest-hard', title: 'Differences of area on hard tokens', folded: true },
  { id: 'accuracy-by-loop', file: 'loops', title: 'Accuracy after every loop', folded: true },
  { id: 'exit-rules', file: 'exit-rules', title: 'Exit rules that need no training, and the oracle', folded: true },
];

export function studyFigures(result: StudyResult): Figure[] {
  const perBudget = budgetsOf(result).flatMap((budget): Figure[] => {
    const evaluated = evaluatedOf(result, budget);
    return [paretoFigure(evaluated), difficultyParetoFigure(evaluated)].map((figure) => ({
      ...figure,
      id: `${figure.id}-${budget}`,
      title: `${figure.title}, ${WITH_BUDGET[budget]}`,
    }));
  });
  const equalTokens = evaluatedOf(result, 'tokens');
  const figures: Figure<unknown[]>[] = [
    forestFigure(result, 'all'),
    forestFigure(result, 'hard'),
    ...(perBudget as Figure<unknown[]>[]),
    depthFigure('accuracy', equalTokens),
    depthFigure('crossEntropy', equalTokens),
    rulesFigure(equalTokens),
  ];
  return figures.filter(({ data }) => data.length > 0);
}

function evaluatedOf(result: StudyResult, budget: Budget): Evaluated {
  const rows = rowsShown(result, budget);
  const styles = seriesStyles(rows.map(({ role }) => role !== 'base'));
  return {
    series: rows.map(({ title }, i) => ({ name: title, style: styles[i]! })),
    models: rows.map(({ summary }) => summary),
  };
}
