/**
 * Accuracy against compute, models compared: the gate's curve as a line, with a band of ± one standard deviation where there are
 * several seeds, static loops as hollow symbols, training-free rules as thin lines if the models are few. The rules of one model
 * against each other are in `exit-rules.ts`.
 */
import type { Markish } from '@observablehq/plot';
import { BUCKETS, type CurveRule } from '../../result.js';
import { count, percent, siScale } from '../format.js';
import type { CurvePoint, ModelSummary } from '../summary.js';
import { type Canvas, drawSheet, type LegendEntry, type PanelOptions } from './canvas.js';
import type { Figure, Series } from './figure.js';
import { color } from './palette.js';
import { type Evaluated, loopAxis, type ParetoModel, type ParetoPanel, panelData, RULE_STYLE } from './pareto-data.js';

/** More lines than this and the training-free rules are left to the exit rules' figure. */
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

/** ± one standard deviation around a curve of several seeds; nothing for one seed. */
function bandMark(
  Plot: Canvas['Plot'],
  points: CurvePoint[],
  x: (point: CurvePoint) => number,
  fill: string,
  rule: CurveRule,
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

function hasFlopsEverywhere(points: CurvePoint[]): boolean {
  return points.length > 0 && points.every(({ flopsPerToken }) => flopsPerToken !== undefined);
}

function bandNote(models: ModelSummary[]): string {
  const seeds = Math.max(0, ...models.map((model) => model.seeds));
  return seeds > 1 ? ` Mean of ${seeds} seeds; bands are ± one standard deviation.` : '';
}
