/** How training went, run over run: loss and its parts, depth, exit entropy, gradient norm, speed. */
import type { Markish } from '@observablehq/plot';
import type { MetricsRecord } from '../../../train/metrics/record.js';
import { type Canvas, drawSheet, type PanelOptions } from './canvas.js';
import type { Figure, Series } from './figure.js';
import { type HistoryPoint, history, historyDomain } from './history.js';
import { loopColor, type SeriesStyle } from './palette.js';

export interface TrainedRun {
  series: Series;
  records: MetricsRecord[];
}

export interface CurvePanel {
  title: string;
  lines: { name: string; points: HistoryPoint[] }[];
}

export function trainingFigure(runs: TrainedRun[]): Figure<CurvePanel[]> {
  const parts = [...new Set(runs.flatMap(({ records }) => records.flatMap((record) => Object.keys(record.parts))))];
  const quantities: [title: string, pick: (record: MetricsRecord) => number | undefined][] = [
    ['Loss', ({ loss }) => loss],
    ...parts.map((part): [string, (record: MetricsRecord) => number | undefined] => [
      `Loss part: ${part}`,
      (record) => record.parts[part],
    ]),
    ['Mean loops', ({ meanLoops }) => meanLoops],
    ['Exit entropy (nats)', ({ exitEntropy }) => exitEntropy],
    ['KL to the teacher (nats)', ({ klTeacher }) => klTeacher],
    ['Advantage spread (nats)', ({ advantageSpread }) => advantageSpread],
    ['Gradient norm', ({ gradientNorm }) => gradientNorm],
    ['Thousand tokens per second', ({ tokensPerSecond }) => tokensPerSecond / 1000],
  ];
  const data = quantities
    .map(
      ([title, pick]): CurvePanel => ({
        title,
        lines: runs.map(({ series, records }) => ({ name: series.name, points: history(records, pick) })),
      }),
    )
    .filter(({ lines }) => lines.some(({ points }) => points.length > 0));
  return {
    id: 'training',
    title: 'Training',
    caption: 'Lines: means over short windows of steps. Bands: the range within each window.',
    data,
    draw: (canvas) =>
      drawSheet(canvas, {
        label: 'Loss and its parts, mean loops, exit entropy, gradient norm and speed over training steps, by run',
        columns: 3,
        panelHeight: 215,
        legend: runs.map(({ series }) => ({ label: series.name, stroke: series.style.color })),
        panels: data.map((panel) =>
          curvePanel(
            canvas,
            panel,
            runs.map(({ series }) => series.style),
          ),
        ),
      }),
  };
}

export function rewardFigure(runs: TrainedRun[]): Figure<CurvePanel[]> {
  const rewarded = runs.filter(({ records }) => records.some(({ rewardByLoop }) => rewardByLoop !== undefined));
  const loops = Math.max(
    0,
    ...rewarded.flatMap(({ records }) => records.map((record) => record.rewardByLoop?.length ?? 0)),
  );
  const everyLoop = Array.from({ length: loops }, (_, index) => index);
  const data = rewarded.map(
    ({ series, records }): CurvePanel => ({
      title: series.name,
      lines: everyLoop.map((index) => ({
        name: `loop ${index + 1}`,
        points: history(records, ({ rewardByLoop }) => rewardByLoop?.[index]),
      })),
    }),
  );
  return {
    id: 'reward',
    title: 'Reward by loop',
    caption:
      'Mean step reward over the hard tokens: the gain in log-probability over the reference step, less the price of the loops beyond it.',
    data,
    draw: (canvas) =>
      drawSheet(canvas, {
        label: 'Mean reward of stopping at each loop over training steps, one panel per run',
        columns: 2,
        panelHeight: 260,
        legend: everyLoop.map((index) => ({ label: `loop ${index + 1}`, stroke: loopColor(index + 1, loops) })),
        panels: data.map((panel) => ({
          ...curvePanel(
            canvas,
            panel,
            everyLoop.map((index) => ({ color: loopColor(index + 1, loops), symbol: 'circle' })),
          ),
        })),
      }),
  };
}

function curvePanel({ Plot }: Canvas, { title, lines }: CurvePanel, styles: SeriesStyle[]): PanelOptions {
  return {
    title,
    x: { label: 'Step', nice: false, ticks: 5 },
    y: { label: null, domain: historyDomain(lines.map(({ points }) => points)), ticks: 5 },
    marks: lines.flatMap(({ name, points }, index): Markish[] => {
      const stroke = styles[index]!.color;
      return [
        Plot.areaY(points, { x: 'step', y1: 'low', y2: 'high', fill: stroke, fillOpacity: 0.13, clip: true }),
        Plot.line(points, {
          x: 'step',
          y: 'mean',
          stroke,
          strokeWidth: 1.7,
          clip: true,
          ariaLabel: () => `${title}, ${name}`,
        }),
      ];
    }),
  };
}
