/**
 * Accuracy against compute: what a model reaches when it stops early, by every rule that was evaluated.
 *
 * `paretoFigure` compares models: the gate's curve as a line, with a band of ± one standard deviation where there are
 * several seeds, static loops as hollow symbols, training-free rules as thin lines if the models are few. `rulesFigure` compares the rules of
 * each model, the oracle included, with the other models' gates in grey behind.
 */
import type { Markish } from '@observablehq/plot';
import { BUCKETS, type ExitRule } from '../../eval/result.js';
import { count, percent, siScale } from '../format.js';
import type { BreakdownSummary, Curve, CurvePoint, ModelSummary } from '../summary.js';
import { type Canvas, drawSheet, type LegendEntry, type PanelOptions } from './canvas.js';
import type { Figure, Series } from './figure.js';
import { color } from './palette.js';

export interface ParetoModel {
  name: string;
  loops: number;
  curves: Curve[];
  /** Loop k for every token. */
  static: CurvePoint[];
}

export interface ParetoPanel {
  title: string;
  tokens: number;
  models: ParetoModel[];
}

/** A model as the figures of this file need it; `series` and `models` are in the same order. */
export interface Evaluated {
  series: Series[];
  models: ModelSummary[];
}

const RULE_STYLE: Record<
  Exclude<ExitRule, 'static'>,
  { label: string; stroke: string; dash?: string; width: number }
> = {
  gate: { label: 'exit gate', stroke: color('series-1'), width: 2.4 },
  'hidden-change': { label: 'change of hidden state', stroke: color('series-2'), dash: '7 3', width: 1.5 },
  confidence: { label: 'confidence', stroke: color('series-3'), dash: '2 2.5', width: 1.5 },
  entropy: { label: 'entropy', stroke: color('series-4'), dash: '8 3 2 3', width: 1.5 },
  oracle: { label: 'oracle', stroke: color('ink-muted'), dash: '1 4', width: 1.5 },
};

/** More lines than this and the training-free rules are left to `rulesFigure`. */
const MAX_THIN_MODELS = 2;

export function paretoFigure({ series, models }: Evaluated): Figure<ParetoPanel[]> {
  const whole = panelData('All tokens', models, (model) => model.all);
  const hasFlops = whole.models.every((model) => model.curves.some((curve) => hasFlopsEverywhere(curve.points)));
  return {
    id: 'pareto',
    title: 'Accuracy against compute',
    caption: `Lines: the model's own exit gate over a sweep of thresholds. Symbols: every token stopped at the same loop.${
      models.length <= MAX_THIN_MODELS && models.some(({ all }) => all.curves.length > 1)
        ? ' Thin dashed lines: exit rules that need no training.'
        : ''
    }${bandNote(models)} Up and to the left is better.`,
    data: whole.tokens > 0 ? [whole] : [],
    draw: (canvas) =>
      drawSheet(canvas, {
        label: 'Accuracy against mean loops and against FLOPs per token, by model',
        columns: hasFlops ? 2 : 1,
        panelHeight: 360,
        legend: modelLegend(series, whole.models),
        panels: [
          paretoPanel(canvas, whole, series, 'loops', ''),
          ...(hasFlops ? [paretoPanel(canvas, whole, series, 'flops', '')] : []),
        ],
      }),
  };
}

export function difficultyParetoFigure({ series, models }: Evaluated): Figure<ParetoPanel[]> {
  const data = BUCKETS.map((bucket) => panelData(`${bucket} tokens`, models, (model) => model.buckets[bucket])).filter(
    ({ tokens }) => tokens > 0,
  );
  return {
    id: 'pareto-difficulty',
    title: 'Accuracy against mean loops, by difficulty',
    caption: `As above, for tokens that the reference model finds easy, medium and hard. Scales differ.${bandNote(models)}`,
    data,
    draw: (canvas) =>
      drawSheet(canvas, {
        label: 'Accuracy against mean loops for easy, medium and hard tokens, by model',
        columns: Math.max(1, data.length),
        panelHeight: 290,
        legend: modelLegend(series, []),
        panels: data.map((panel) =>
          paretoPanel(
            canvas,
            { ...panel, models: panel.models.map(gateOnly) },
            series,
            'loops',
            `${count(panel.tokens)} tokens`,
          ),
        ),
      }),
  };
}

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

function panelData(
  title: string,
  models: ModelSummary[],
  pick: (model: ModelSummary) => BreakdownSummary,
): ParetoPanel {
  return {
    title: title.charAt(0).toUpperCase() + title.slice(1),
    tokens: Math.max(0, ...models.map((model) => pick(model).tokens)),
    models: models.map((model) => {
      const part = pick(model);
      return {
        name: model.name,
        loops: model.loops,
        curves: part.curves,
        static: part.perLoop.map(({ loop, accuracy }) => ({
          setting: loop,
          meanLoops: loop,
          accuracy,
          ...(model.flops && { flopsPerToken: loop * model.flops.perLoop + model.flops.head }),
        })),
      };
    }),
  };
}

function paretoPanel(
  { Plot }: Canvas,
  panel: ParetoPanel,
  series: Series[],
  against: 'loops' | 'flops',
  subtitle: string,
): PanelOptions {
  const everyPoint = panel.models.flatMap((model) => [
    ...model.static,
    ...model.curves.flatMap(({ points }) => points),
  ]);
  const flops = siScale(Math.max(1, ...everyPoint.map(({ flopsPerToken }) => flopsPerToken ?? 0)));
  const x = (point: CurvePoint): number =>
    against === 'loops' ? point.meanLoops : (point.flopsPerToken ?? Number.NaN) / flops.divisor;
  const y = ({ accuracy }: CurvePoint): number => 100 * accuracy.mean;
  const thin = panel.models.length <= MAX_THIN_MODELS;
  const marks = panel.models.flatMap((model, index): Markish[] => {
    const { style } = series[index]!;
    const drawn = model.curves.filter(({ rule }) => rule === 'gate' || (thin && rule !== 'oracle'));
    return [
      ...drawn.map(({ rule, points }) => bandMark(Plot, points, x, style.color, rule)),
      ...drawn.map(({ rule, points }) =>
        Plot.line(points, {
          x,
          y,
          stroke: style.color,
          strokeWidth: rule === 'gate' ? 2.4 : 1.2,
          ariaLabel: () => `${rule} of ${model.name}`,
          ...(rule !== 'gate' &&
            rule !== 'static' &&
            RULE_STYLE[rule].dash && { strokeDasharray: RULE_STYLE[rule].dash }),
        }),
      ),
      Plot.dot(model.static, {
        x,
        y,
        r: 4.5,
        symbol: style.symbol,
        fill: color('surface'),
        stroke: style.color,
        strokeWidth: 1.8,
        ariaLabel: () => `static loops of ${model.name}`,
        title: (point: CurvePoint) => `${model.name}, loop ${point.setting}: ${percent(point.accuracy.mean, 2)} %`,
      }),
    ];
  });
  return {
    title: panel.title,
    ...(subtitle && { subtitle }),
    x:
      against === 'loops'
        ? loopAxis(panel.models)
        : { label: `FLOPs per token (${flops.prefix}FLOP)`, nice: true, ticks: 6 },
    y: { label: 'Accuracy (%)', nice: true, ticks: 6 },
    marks,
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

/** ± one standard deviation around a curve of several seeds; nothing for one seed. */
function bandMark(
  Plot: Canvas['Plot'],
  points: CurvePoint[],
  x: (point: CurvePoint) => number,
  fill: string,
  rule: ExitRule,
): Markish {
  const known = rule === 'gate' ? points.filter(({ accuracy }) => accuracy.sd !== undefined) : [];
  return Plot.areaY(known, {
    x,
    y1: ({ accuracy }: CurvePoint) => 100 * (accuracy.mean - accuracy.sd!),
    y2: ({ accuracy }: CurvePoint) => 100 * (accuracy.mean + accuracy.sd!),
    fill,
    fillOpacity: 0.16,
  });
}

function loopAxis(models: ParetoModel[]): PanelOptions['x'] {
  const loops = Math.max(1, ...models.map((model) => model.loops));
  const ticks = Array.from({ length: loops }, (_, index) => index + 1);
  return { label: 'Mean loops per token', domain: [1, Math.max(2, loops)], inset: 8, ticks, tickFormat: 'd' };
}

function modelLegend(series: Series[], models: ParetoModel[]): LegendEntry[] {
  const thin = models.length <= MAX_THIN_MODELS ? models : [];
  const rules = new Set(thin.flatMap(({ curves }) => curves.map(({ rule }) => rule)));
  return [
    ...series.map(
      ({ name, style }): LegendEntry => ({
        label: name,
        stroke: style.color,
        strokeWidth: 2.4,
        symbol: style.symbol,
        symbolFill: color('surface'),
        symbolStroke: style.color,
      }),
    ),
    ...[...rules].flatMap((rule): LegendEntry[] => {
      if (rule === 'gate' || rule === 'static' || rule === 'oracle') return [];
      const { label, dash } = RULE_STYLE[rule];
      return [{ label, stroke: color('ink-muted'), strokeWidth: 1.2, ...(dash && { strokeDasharray: dash }) }];
    }),
  ];
}

function gateOnly(model: ParetoModel): ParetoModel {
  return { ...model, curves: model.curves.filter(({ rule }) => rule === 'gate') };
}

function sharedDomain(panels: ParetoPanel[]): [number, number] {
  const values = panels
    .flatMap(({ models }) => models)
    .flatMap((model) => [...model.static, ...model.curves.flatMap(({ points }) => points)])
    .map(({ accuracy }) => 100 * accuracy.mean);
  return [Math.min(...values), Math.max(...values)];
}

function hasFlopsEverywhere(points: CurvePoint[]): boolean {
  return points.length > 0 && points.every(({ flopsPerToken }) => flopsPerToken !== undefined);
}

function bandNote(models: ModelSummary[]): string {
  const seeds = Math.max(0, ...models.map((model) => model.seeds));
  return seeds > 1 ? ` Mean of ${seeds} seeds; bands are ± one standard deviation.` : '';
}
