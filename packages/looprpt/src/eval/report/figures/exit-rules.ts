/** Exit rules: for each model, its gate beside the rules that need no training, and the oracle. */
import { percent } from '../format.js';
import type { CurvePoint } from '../summary.js';
import { type Canvas, drawSheet, type LegendEntry, type PanelOptions } from './canvas.js';
import type { Figure } from './figure.js';
import { color } from './palette.js';
import { type Evaluated, loopAxis, type ParetoModel, type ParetoPanel, panelData, RULE_STYLE } from './pareto-data.js';

export function rulesFigure({ models }: Evaluated): Figure<ParetoPanel[]> {
  const withRules = models.filter(({ all }) => all.curves.length > 1);
  const data = withRules.map((model) => panelData(model.name, [model], ({ all }) => all));
  const rules = (Object.keys(RULE_STYLE) as (keyof typeof RULE_STYLE)[]).filter((rule) =>
    withRules.some(({ all }) => all.curves.some((curve) => curve.rule === rule)),
  );
  return {
    id: 'exit-rules',
    title: 'Exit rules',
    caption:
      "The model's gate beside rules that need no training; the oracle stops at the first loop that is right. Hollow circles: every token stopped at the same loop.",
    data,
    draw: (canvas) =>
      drawSheet(canvas, {
        label: 'Accuracy against mean loops by exit rule, one panel per model',
        columns: Math.min(3, Math.max(2, withRules.length)),
        panelHeight: 290,
        legend: [
          ...rules.map((rule): LegendEntry => {
            const { label, stroke, dash, width } = RULE_STYLE[rule];
            return { label, stroke, strokeWidth: width, ...(dash && { strokeDasharray: dash }) };
          }),
          {
            label: 'static loop',
            stroke: 'none',
            symbol: 'circle',
            symbolFill: color('surface'),
            symbolStroke: color('ink'),
          },
        ],
        panels: data.map(({ title, models: [model] }) => rulesPanel(canvas, title, model!, sharedDomain(data))),
      }),
  };
}

function rulesPanel({ Plot }: Canvas, title: string, model: ParetoModel, domain: [number, number]): PanelOptions {
  const y = ({ accuracy }: CurvePoint): number => 100 * accuracy.mean;
  return {
    title,
    x: loopAxis([model]),
    y: { label: 'Accuracy (%)', domain, nice: true, ticks: 6 },
    marks: [
      ...model.curves.flatMap(({ rule, points }) => {
        if (rule === 'static') return [];
        const { stroke, width, dash } = RULE_STYLE[rule];
        const line = { x: 'meanLoops', y, stroke, strokeWidth: width, ariaLabel: () => `${rule} of ${model.name}` };
        return [Plot.line(points, { ...line, ...(dash && { strokeDasharray: dash }) })];
      }),
      Plot.dot(model.static, {
        x: 'meanLoops',
        y,
        r: 3.8,
        fill: color('surface'),
        stroke: color('ink'),
        ariaLabel: () => `static loops of ${model.name}`,
        title: (point: CurvePoint) => `loop ${point.setting}: ${percent(point.accuracy.mean, 2)} %`,
      }),
    ],
  };
}

function sharedDomain(panels: ParetoPanel[]): [number, number] {
  const values = panels
    .flatMap(({ models }) => models)
    .flatMap((model) => [...model.static, ...model.curves.flatMap(({ points }) => points)])
    .map(({ accuracy }) => 100 * accuracy.mean);
  return [Math.min(...values), Math.max(...values)];
}
