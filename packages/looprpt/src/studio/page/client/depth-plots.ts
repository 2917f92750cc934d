/** The plots of one evaluation: accuracy against loops with the operating point, scores by loop and difficulty, calibration. */

import type { AdaptiveScore, Breakdown, EvalResult } from '../../../eval/result.js';
import { make } from '../../../serve/page/client/elements.js';
import { type Drawn, draw } from './plotting.js';

const HEIGHT = 240;
const SETS = [
  ['all', 'var(--series-1)'],
  ['easy', 'var(--series-3)'],
  ['medium', 'var(--series-5)'],
  ['hard', 'var(--series-2)'],
] as const;

/** @param point where the model works now @param width pixels */
export function paretoPlot(result: EvalResult, point: AdaptiveScore | null, width: number): Drawn {
  const { Plot } = window;
  const curve = [...result.adaptive].sort((a, b) => a.meanLoops - b.meanLoops);
  const accuracy = ({ accuracy: share }: { accuracy: number }): number => 100 * share;
  return named(
    draw({
      ...sizes(width),
      x: { domain: [1, Math.max(2, result.loops)], label: 'Mean loops per token', inset: 8 },
      y: { label: 'Accuracy (%)', nice: true, grid: true, ticks: 6 },
      marks: [
        Plot.line(curve, { x: 'meanLoops', y: accuracy, stroke: 'var(--series-1)', strokeWidth: 2 }),
        Plot.dot(result.perLoop, { x: 'loop', y: accuracy, r: 4, stroke: 'var(--series-1)', fill: 'var(--surface)' }),
        ...(point ? [Plot.dot([point], { x: 'meanLoops', y: accuracy, r: 7, fill: 'var(--series-2)' })] : []),
      ],
    }),
    'Accuracy against mean loops: the line is the exit gate, hollow dots stop every token at the same loop, the large dot is the threshold',
  );
}

export function byLoopPlot(result: EvalResult, metric: 'accuracy' | 'crossEntropy', width: number): Drawn {
  const { Plot } = window;
  const scale = metric === 'accuracy' ? 100 : 1;
  const what = metric === 'accuracy' ? 'Accuracy (%)' : 'Cross-entropy (nats)';
  const sets = SETS.map(([name, color]) => ({ name, color, set: setOf(result, name) })).filter(
    ({ set }) => set.tokens > 0,
  );
  return named(
    draw({
      ...sizes(width),
      x: { label: 'Loop', ticks: result.perLoop.map(({ loop }) => loop), tickFormat: 'd', inset: 8 },
      y: { label: what, nice: true, grid: true, ticks: 6 },
      marks: sets.map(({ set, color }) =>
        Plot.lineY(set.perLoop, {
          x: 'loop',
          y: (score) => scale * score[metric],
          stroke: color,
          strokeWidth: 2,
          marker: true,
        }),
      ),
    }),
    `${what} after every loop: ${sets.map(({ name }) => name).join(', ')} tokens`,
  );
}

/** Null where the evaluation has none. */
export function calibrationPlot({ calibration }: EvalResult, width: number): Drawn | null {
  if (!calibration) return null;
  const { Plot } = window;
  const line = { x: 'meanCdf', strokeWidth: 2, marker: true } as const;
  return named(
    draw({
      ...sizes(width),
      x: { domain: [0, 1], label: 'Exit CDF of the gate', inset: 8 },
      y: { domain: [0, 1], label: 'Share of tokens', grid: true, ticks: 6 },
      marks: [
        Plot.line([0, 1], { x: (v) => v, y: (v) => v, stroke: 'var(--series-start)', strokeDasharray: '4 4' }),
        Plot.lineY(calibration.bins, { ...line, y: 'settled', stroke: 'var(--series-1)' }),
        Plot.lineY(calibration.bins, { ...line, y: 'correct', stroke: 'var(--series-2)' }),
      ],
    }),
    'Calibration of exits: share of tokens whose answer is settled, and is right, by the exit CDF of the gate',
  );
}

/** Names of the colours of tokens by difficulty. */
export function difficultyLegend(result: EvalResult): HTMLElement {
  const items = SETS.filter(([name]) => setOf(result, name).tokens > 0).map(([name, color]) => {
    const item = make('li', '', `${name} (${setOf(result, name).tokens.toLocaleString('en-US')} tokens)`);
    item.style.setProperty('--series', color);
    return item;
  });
  return make('ul', 'reading', ...items);
}

function setOf(result: EvalResult, name: (typeof SETS)[number][0]): Breakdown {
  return name === 'all' ? result : result.buckets[name];
}

function sizes(width: number) {
  return { width: Math.max(260, width), height: HEIGHT, marginBottom: 40, marginTop: 22 };
}

function named(svg: Drawn, label: string): Drawn {
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  return svg;
}
