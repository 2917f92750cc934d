/** Where tokens left over the course of a run: loops against steps, the brighter the more of them. */
import { make } from '../../../serve/page/client/elements.js';
import { type Curve, curvesCsv, valueAt } from './curve-data.js';
import type { View } from './panel.js';
import { panelHead, placeHair } from './panel-head.js';
import { type Drawn, draw } from './plotting.js';

const HEIGHT = 120;

interface Cell {
  from: number;
  to: number;
  loop: number;
  share: number;
}

/**
 * A cell a bucket and loop. A bucket's steps follow those of the one before; half a step on both sides, so that one step has a width.
 * @param curves the share of each loop, loop 1 first
 */
export function cellsOf(curves: readonly Curve[]): Cell[] {
  return curves.flatMap(({ steps, mean }, k) =>
    steps.flatMap((to, i) => {
      const share = mean[i];
      return share == null ? [] : [{ from: (i === 0 ? 0 : steps[i - 1]!) + 0.5, to: to + 0.5, loop: k + 1, share }];
    }),
  );
}

export class HeatMap {
  readonly element: HTMLElement;
  readonly #box = make('div', 'plot-box');
  readonly #reading = make('p', 'muted');
  readonly #hair = make('div', 'hair');
  readonly #name: string;
  #curves: readonly Curve[] = [];
  #svg: Drawn | null = null;

  constructor(name: string) {
    this.#name = name;
    const head = panelHead(`Exits by loop: ${name}`, {
      svg: () => this.#svg && { drawn: this.#svg, labels: [] },
      csv: () => curvesCsv('share', this.#named),
    });
    this.#hair.hidden = true;
    this.#box.append(this.#hair);
    this.element = make('section', 'panel heat', head, this.#box, this.#reading);
    this.read(null);
  }

  show(curves: readonly Curve[], { from, to, logX }: View): void {
    this.#curves = curves;
    const svg = draw({
      width: Math.max(240, this.#box.clientWidth),
      height: HEIGHT,
      x: { type: logX ? 'log' : 'linear', domain: [from, to], label: null, ticks: 5 },
      y: { domain: [0.5, curves.length + 0.5], label: null, ticks: curves.map((_, k) => k + 1), tickFormat: 'd' },
      color: { scheme: 'viridis', domain: [0, 1] },
      marks: [
        window.Plot.rect(cellsOf(curves), {
          ...{ x1: 'from', x2: 'to', fill: 'share', inset: 0, clip: true, shapeRendering: 'crispEdges' },
          y1: ({ loop }: Cell) => loop - 0.5,
          y2: ({ loop }: Cell) => loop + 0.5,
        }),
      ],
    });
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', `Exits by loop of ${this.#name}; ${lastShares(curves)}`);
    this.#svg?.remove();
    this.#svg = svg;
    this.#box.prepend(svg);
  }

  /** The shares at a step, with a line there; null for none. */
  read(step: number | null): void {
    placeHair(this.#hair, this.#svg, step);
    const shares = step === null ? [] : this.#curves.map((curve, k) => `${k + 1}: ${percent(valueAt(curve, step))}`);
    const words = shares.length > 0 ? shares.join(', ') : 'dark 0 to yellow 1';
    this.#reading.textContent = `Share by exit loop: ${words}`;
  }

  get #named(): { name: string; curve: Curve }[] {
    return this.#curves.map((curve, k) => ({ name: `${this.#name}, loop ${k + 1}`, curve }));
  }
}

function percent(share: number | null): string {
  return share === null ? '–' : `${Number((100 * share).toPrecision(3))} %`;
}

function lastShares(curves: readonly Curve[]): string {
  const shares = curves.map(({ mean }, k) => `loop ${k + 1} ${Math.round(100 * (mean.at(-1) ?? 0))} %`);
  return `at the end ${shares.join(', ')}`;
}
