/** Everything a report will show, before it is drawn: the headline table and the figures that the runs have data for. */

import { rewardFigure, trainingFigure } from './figures/curves.js';
import { depthFigure } from './figures/depth.js';
import { rulesFigure } from './figures/exit-rules.js';
import { exitFigure } from './figures/exits.js';
import type { Figure, Series } from './figures/figure.js';
import { seriesStyles } from './figures/palette.js';
import { difficultyParetoFigure, paretoFigure } from './figures/pareto.js';
import type { Evaluated } from './figures/pareto-data.js';
import { type Headline, headline } from './headline.js';
import type { ReportInput } from './input.js';
import { summarise } from './summary.js';

export interface ReportPlan {
  /** One per run, in order; a name that is there twice gets a number. */
  series: Series[];
  headline: Headline;
  figures: Figure[];
}

export const DEFAULT_TAU = 0.5;

export function planReport(input: ReportInput): ReportPlan {
  const styles = seriesStyles(input.runs.map(({ metrics }) => metrics.length > 0));
  const names = uniqueNames(input.runs.map(({ name }) => name));
  const series = names.map((name, index): Series => ({ name, style: styles[index]! }));
  const summaries = input.runs.flatMap((run, index) => {
    const model = summarise({ ...run, name: names[index]! });
    return model ? [{ model, series: series[index]! }] : [];
  });
  const evaluated: Evaluated = {
    series: summaries.map((summary) => summary.series),
    models: summaries.map(({ model }) => model),
  };
  const trained = input.runs
    .map(({ metrics }, index) => ({ series: series[index]!, records: metrics }))
    .filter(({ records }) => records.length > 0);
  const tau = input.tau ?? DEFAULT_TAU;
  const figures: Figure<unknown[]>[] = [
    paretoFigure(evaluated),
    difficultyParetoFigure(evaluated),
    rulesFigure(evaluated),
    depthFigure('accuracy', evaluated),
    depthFigure('crossEntropy', evaluated),
    exitFigure(evaluated, tau),
    trainingFigure(trained),
    rewardFigure(trained),
  ];
  return {
    series,
    headline: headline(evaluated.models, tau),
    figures: figures.filter(({ data }) => data.length > 0),
  };
}

function uniqueNames(names: string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  });
}
