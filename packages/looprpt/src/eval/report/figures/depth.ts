/** Accuracy and cross-entropy after every loop, over all tokens and by difficulty: lines by model. */
import { BUCKETS } from '../../result.js';
import { count, fixed, percent } from '../format.js';
import type { LoopSummary, ModelSummary } from '../summary.js';
import { type Canvas, drawSheet, type PanelOptions } from './canvas.js';
import type { Figure, Series } from './figure.js';
import type { Evaluated } from './pareto-data.js';

export interface DepthPanel {
  title: string;
  tokens: number;
  models: { name: string; perLoop: LoopSummary[] }[];
}

type Metric = 'accuracy' | 'crossEntropy';

export function depthFigure(metric: Metric, { series, models }: Evaluated): Figure<DepthPanel[]> {
  const data = [
    panelData('All tokens', models, (model) => model.all),
    ...BUCKETS.map((bucket) =>
      panelData(bucket.charAt(0).toUpperCase() + bucket.slice(1), models, (model) => model.buckets[bucket]),
    ),
  ].filter(({ tokens }) => tokens > 0);
  const what = metric === 'accuracy' ? 'Accuracy' : 'Cross-entropy';
  const bars = models.some(({ seeds }) => seeds > 1) ? ' Bars: ± one standard deviation over seeds.' : '';
  return {
    id: metric === 'accuracy' ? 'accuracy-by-loop' : 'cross-entropy-by-loop',
    title: `${what} after every loop`,
    caption: `Every token read out after the same loop. Difficulty is the reference model's entropy. Scales differ between panels.${bars}`,
    data,
    draw: (canvas) =>
      drawSheet(canvas, {
        label: `${what} after every loop, over all tokens and by difficulty, by model`,
        columns: Math.max(1, data.length),
        panelHeight: 270,
        legend: series.map(({ name, style }) => ({ label: name, stroke: style.color, symbol: style.symbol })),
        panels: data.map((panel) => depthPanel(canvas, panel, series, metric)),
      }),
  };
}

function panelData(
  title: string,
  models: ModelSummary[],
  pick: (model: ModelSummary) => { tokens: number; perLoop: LoopSummary[] },
): DepthPanel {
  return {
    title,
    tokens: Math.max(0, ...models.map((model) => pick(model).tokens)),
    models: models.map((model) => ({ name: model.name, perLoop: pick(model).perLoop })),
  };
}

function depthPanel({ Plot }: Canvas, panel: DepthPanel, series: Series[], metric: Metric): PanelOptions {
  const scale = metric === 'accuracy' ? 100 : 1;
  const y = (summary: LoopSummary): number => scale * summary[metric].mean;
  const loops = Math.max(1, ...panel.models.map(({ perLoop }) => perLoop.length));
  return {
    title: panel.title,
    subtitle: `${count(panel.tokens)} tokens`,
    x: {
      label: 'Loop',
      domain: [1, Math.max(2, loops)],
      inset: 10,
      ticks: Array.from({ length: loops }, (_, index) => index + 1),
      tickFormat: 'd',
    },
    y: { label: metric === 'accuracy' ? 'Accuracy (%)' : 'Cross-entropy (nats)', nice: true, ticks: 5 },
    marks: panel.models.flatMap(({ name, perLoop }, index) => {
      const { style } = series[index]!;
      const label = ({ loop, accuracy, crossEntropy }: LoopSummary): string =>
        `${name}, loop ${loop}: ${percent(accuracy.mean, 2)} %, ${fixed(crossEntropy.mean, 3)} nats`;
      return [
        Plot.ruleX(
          perLoop.filter((summary) => summary[metric].sd !== undefined),
          {
            x: 'loop',
            y1: (summary: LoopSummary) => scale * (summary[metric].mean - summary[metric].sd!),
            y2: (summary: LoopSummary) => scale * (summary[metric].mean + summary[metric].sd!),
            stroke: style.color,
            strokeOpacity: 0.6,
          },
        ),
        Plot.line(perLoop, {
          x: 'loop',
          y,
          stroke: style.color,
          strokeWidth: 2,
          ariaLabel: () => `${metric} of ${name}`,
        }),
        Plot.dot(perLoop, {
          x: 'loop',
          y,
          r: 4,
          symbol: style.symbol,
          fill: style.color,
          stroke: style.color,
          ariaLabel: () => `${metric} by loop of ${name}`,
          title: label,
        }),
      ];
    }),
  };
}
