/** Where tokens left over the course of a run: loops against steps, the brighter the more of them. */
import { make } from '../../../serve/page/client/elements.js';
import type { Curve } from './curve-data.js';
import { draw } from './plotting.js';

const HEIGHT = 120;

interface Cell {
  from: number;
  to: number;
  loop: number;
  share: number;
}

/** @param curves the share of each loop, loop 1 first */
export function cellsOf(curves: readonly Curve[]): Cell[] {
  return curves.flatMap(({ steps, mean }, k) =>
    steps.flatMap((to, i) => {
      const share = mean[i];
      return share == null ? [] : [{ from: i === 0 ? 0 : steps[i - 1]!, to, loop: k + 1, share }];
    }),
  );
}

export class HeatMap {
  readonly element: HTMLElement;
  readonly #box = make('div', 'plot-box');
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    this.element = make('section', 'panel heat', make('h2', '', `Exits by loop: ${name}`), this.#box);
    this.element.append(make('p', 'muted', 'Share of tokens by exit loop, dark 0 to yellow 1.'));
  }

  show(curves: readonly Curve[], { from, to }: { from: number; to: number }): void {
    const cells = cellsOf(curves);
    const svg = draw({
      width: Math.max(240, this.#box.clientWidth),
      height: HEIGHT,
      x: { domain: [Math.max(0, from - 1), to], label: null, ticks: 5 },
      y: { domain: [0.5, curves.length + 0.5], label: null, ticks: curves.map((_, k) => k + 1), tickFormat: 'd' },
      color: { scheme: 'viridis', domain: [0, 1] },
      marks: [
        window.Plot.rect(cells, {
          ...{ x1: 'from', x2: 'to', fill: 'share', inset: 0, clip: true },
          y1: ({ loop }: Cell) => loop - 0.5,
          y2: ({ loop }: Cell) => loop + 0.5,
        }),
      ],
    });
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', `Exits by loop of ${this.#name}; ${lastShares(curves)}`);
    this.#box.replaceChildren(svg);
  }
}

function lastShares(curves: readonly Curve[]): string {
  const shares = curves.map(({ mean }, k) => `loop ${k + 1} ${Math.round(100 * (mean.at(-1) ?? 0))} %`);
  return `at the end ${shares.join(', ')}`;
}
