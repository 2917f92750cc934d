/** Where tokens stop at one threshold: a histogram over loops for every model. */
import { fixed, percent } from '../format.js';
import { adaptiveAt } from '../summary.js';
import { type Canvas, drawSheet, type PanelOptions } from './canvas.js';
import type { Figure, Series } from './figure.js';
import { color } from './palette.js';
import type { Evaluated } from './pareto-data.js';

export interface ExitPanel {
  name: string;
  tau: number;
  meanLoops: number;
  /** K shares, by exit loop. */
  exitShare: number[];
}

export function exitFigure({ series, models }: Evaluated, tau: number): Figure<ExitPanel[]> {
  const found = models.flatMap((model, index) => {
    const adaptive = adaptiveAt(model.all, tau);
    if (adaptive === undefined) return [];
    const { meanLoops, exitShare } = adaptive;
    const panel: ExitPanel = { name: model.name, tau: adaptive.tau, meanLoops: meanLoops.mean, exitShare };
    return [{ panel, series: series[index]! }];
  });
  const highest = Math.max(0, ...found.flatMap(({ panel }) => panel.exitShare));
  return {
    id: 'exits',
    title: 'Where tokens stop',
    caption:
      'Share of tokens by exit loop: a token stops at the first loop at which the exit distribution has reached τ.',
    data: found.map(({ panel }) => panel),
    draw: (canvas) =>
      drawSheet(canvas, {
        label: 'Share of tokens by exit loop, one panel per model',
        columns: Math.min(4, Math.max(2, found.length)),
        panelHeight: 240,
        legend: [],
        panels: found.map(({ panel, series: own }) => exitPanel(canvas, panel, own, highest)),
      }),
  };
}

function exitPanel({ Plot }: Canvas, panel: ExitPanel, { style }: Series, highest: number): PanelOptions {
  const bars = panel.exitShare.map((share, index) => ({ loop: index + 1, share: 100 * share }));
  const label = panel.exitShare.length <= 8 ? bars : [];
  return {
    title: panel.name,
    subtitle: `τ = ${panel.tau}, mean ${fixed(panel.meanLoops, 2)} loops`,
    x: { label: 'Exit loop', type: 'band', padding: 0.28, tickFormat: 'd' },
    y: { label: 'Tokens (%)', domain: [0, Math.min(112, 115 * highest)], ticks: 5 },
    marks: [
      Plot.barY(bars, { x: 'loop', y: 'share', fill: style.color, ariaLabel: () => `exits of ${panel.name}` }),
      Plot.text(label, {
        x: 'loop',
        y: 'share',
        text: ({ share }: { share: number }) => percent(share / 100, 0),
        dy: -8,
        fill: 'currentColor',
      }),
      Plot.ruleY([0], { stroke: color('ink-muted') }),
    ],
  };
}
