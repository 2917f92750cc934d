/**
 * A forest plot: for every arm the difference of its area to that of the best baseline, with interval and the single seeds, one panel a
 * budget. Right of the line is better than the best baseline.
 */
import type { Markish } from '@observablehq/plot';
import { type Canvas, drawSheet, type PanelOptions } from 'looprpt/internal/eval/report/figures/canvas.js';
import type { Figure } from 'looprpt/internal/eval/report/figures/figure.js';
import { color, type ThemeName } from 'looprpt/internal/eval/report/figures/palette.js';
import { signed } from 'looprpt/internal/eval/report/format.js';
import type { Role } from '../arm.js';
import type { Budget } from '../planner.js';
import { bestBaseline, decidingMeasure, differenceOf, type Part, type StudyResult } from '../result.js';
import { budgetsOf, titleOf } from '../table.js';

interface ForestRow {
  title: string;
  role: Role;
  /** Points of a per cent. */
  mean: number;
  low: number;
  high: number;
  seeds: number[];
}

export interface ForestPanel {
  title: string;
  rival: string;
  /** What is compared. */
  measure: string;
  rows: ForestRow[];
}

/** Pixels for a character of an arm's title. */
const CHARACTER = 6.4;

const ROLE_COLOR: Record<Role, ThemeName> = {
  base: 'series-start',
  baseline: 'ink-muted',
  method: 'series-2',
  ablation: 'series-5',
  variant: 'series-1',
};

export function forestFigure(result: StudyResult, part: Part): Figure<ForestPanel[]> {
  const data = budgetsOf(result).map((budget) => panelData(result, budget, part));
  const longest = Math.max(0, ...data.map(({ rows }) => rows.length));
  return {
    id: part === 'all' ? 'forest' : 'forest-hard',
    title: part === 'all' ? 'Against the best baseline' : 'Against the best baseline, hard tokens',
    caption: `Difference of the ${words(result)}, in points, to the best baseline of the same budget. Bars: 95 % intervals of the hierarchical paired bootstrap over seeds and held-out documents. Small dots: the single seeds.`,
    data: longest > 0 ? data : [],
    draw: (canvas) =>
      drawSheet(canvas, {
        label: 'Difference to the best baseline, by arm, with intervals',
        columns: 1,
        panelHeight: 96 + 20 * longest,
        legend: (['baseline', 'method', 'ablation', 'variant'] as const)
          .filter((role) => data.some(({ rows }) => rows.some((row) => row.role === role)))
          .map((role) => ({
            label: role,
            stroke: color(ROLE_COLOR[role]),
            symbol: 'circle' as const,
            symbolFill: color(ROLE_COLOR[role]),
          })),
        panels: data.map((panel) => forestPanel(canvas, panel, domainOf(data))),
      }),
  };
}

function words(result: StudyResult): string {
  return decidingMeasure(result) === 'frontier'
    ? 'frontier of accuracy over mean loops'
    : 'area under accuracy over mean loops';
}

function panelData(result: StudyResult, budget: Budget, part: Part): ForestPanel {
  const best = bestBaseline(result, budget, part)!;
  const rows = result.rows
    .filter((row) => row.budget === budget)
    .flatMap(({ arm, title, role }): ForestRow[] => {
      const found = differenceOf(result, { a: arm, b: best, budget, part });
      if (!found) return [];
      const [mean, low, high] = found.measures[decidingMeasure(result)]!.map((value) => 100 * value) as [
        number,
        number,
        number,
      ];
      return [{ title, role, mean, low, high, seeds: found.areas.map((value) => 100 * value) }];
    });
  return {
    title: budget === 'tokens' ? 'Equal tokens' : 'Equal compute',
    rival: titleOf(result, best),
    measure: words(result),
    rows,
  };
}

/** The same scale for all panels, zero included. */
function domainOf(panels: readonly ForestPanel[]): [number, number] {
  const values = panels.flatMap(({ rows }) => rows.flatMap(({ low, high, seeds }) => [low, high, ...seeds]));
  return [Math.min(0, ...values), Math.max(0, ...values)];
}

function forestPanel(
  { Plot }: Canvas,
  { title, rival, measure, rows }: ForestPanel,
  domain: [number, number],
): PanelOptions {
  const stroke = ({ role }: ForestRow): string => color(ROLE_COLOR[role]);
  const seeds = rows.flatMap((row) => row.seeds.map((value) => ({ ...row, value })));
  const marks: Markish[] = [
    Plot.ruleX([0], { stroke: color('ink-muted') }),
    Plot.dot(seeds, { x: 'value', y: 'title', r: 2, fill: stroke, fillOpacity: 0.45 }),
    Plot.ruleY(rows, {
      y: 'title',
      x1: 'low',
      x2: 'high',
      stroke,
      strokeWidth: 2.4,
      ariaLabel: ({ title }: ForestRow) => `interval of ${title}`,
    }),
    Plot.dot(rows, {
      x: 'mean',
      y: 'title',
      r: 4.5,
      fill: stroke,
      title: (row: ForestRow) =>
        `${row.title}: ${signed(row.mean, 2)} (${signed(row.low, 2)} to ${signed(row.high, 2)})`,
    }),
  ];
  return {
    title,
    subtitle: `points of ${measure} above ${rival}`,
    x: { label: 'Difference to the best baseline (points)', domain, nice: true, ticks: 8 },
    y: { type: 'band', domain: rows.map((row) => row.title), label: null },
    marginLeft: 20 + CHARACTER * Math.max(...rows.map((row) => row.title.length)),
    marks,
  };
}
