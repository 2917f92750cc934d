/**
 * One panel of curves: a heading with its exports, the plot, and what the curves are at the cursor's step. It draws what it is given and
 * tells where the reader points and which steps they drag over.
 */
import { make } from '../../../serve/page/client/elements.js';
import { type Curve, curvesCsv, readable, smoothed, valueAt } from './curve-data.js';
import { panelHead, placeHair } from './panel-head.js';
import { type Drawn, draw, MARGINS } from './plotting.js';
import type { Quantity } from './quantities.js';

export interface Line {
  name: string;
  color: string;
  isDashed: boolean;
  curve: Curve;
}

export interface View {
  smoothing: number;
  logX: boolean;
  logY: boolean;
  /** Steps that are shown. */
  from: number;
  to: number;
}

export interface PanelEvents {
  /** The step under the pointer. */
  onPoint: (step: number) => void;
  onZoom: (from: number, to: number) => void;
}

const HEIGHT = 200;
/** More lines than this and bands would cover each other. */
const MOST_BANDS = 3;
const MOST_READINGS = 12;
/** Pixels below which a drag was a click. */
const SHORTEST_DRAG = 6;

export class Panel {
  readonly element: HTMLElement;
  readonly quantity: Quantity;
  readonly #box = make('div', 'plot-box');
  readonly #reading = make('ul', 'reading');
  readonly #hair = make('div', 'hair');
  readonly #band = make('div', 'band');
  readonly #events: PanelEvents;
  #lines: readonly Line[] = [];
  #svg: Drawn | null = null;
  #dragFrom: number | null = null;

  constructor(quantity: Quantity, events: PanelEvents) {
    this.quantity = quantity;
    this.#events = events;
    const { title } = quantity;
    const head = panelHead(title, {
      svg: () => this.#svg && { drawn: this.#svg, labels: this.#lines },
      csv: () => curvesCsv(quantity.column, this.#lines),
    });
    this.element = make('section', 'panel', head, this.#box, this.#reading);
    this.element.dataset.quantity = quantity.id;
    for (const part of [this.#hair, this.#band]) part.hidden = true;
    this.#box.append(this.#hair, this.#band);
    this.#listen();
  }

  show(lines: readonly Line[], view: View): void {
    this.#lines = lines;
    const { column, scale, title } = this.quantity;
    const svg = draw({
      width: Math.max(240, this.#box.clientWidth),
      height: HEIGHT,
      x: {
        type: view.logX ? 'log' : 'linear',
        domain: [view.from, view.to],
        label: null,
        ticks: 5,
        tickFormat: stepText,
      },
      y: {
        type: view.logY ? 'log' : 'linear',
        label: null,
        ticks: 5,
        nice: true,
        grid: true,
        ...flatDomain(lines, scale),
      },
      marks: lines.flatMap((line) => marksOf(line, { ...view, scale, hasBands: lines.length <= MOST_BANDS })),
    });
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', `${title} over steps: ${lines.map(({ name }) => name).join(', ') || 'no run'}`);
    svg.dataset.column = column;
    this.#svg?.remove();
    this.#svg = svg;
    this.#box.prepend(svg);
  }

  /** The curves' values at a step, with a line there; null for none. */
  read(step: number | null): void {
    placeHair(this.#hair, this.#svg, step);
    const items =
      step === null
        ? []
        : this.#lines.slice(0, MOST_READINGS).map(({ name, color, curve }) => {
            const value = valueAt(curve, step);
            const item = make('li', '', `${name} ${readable(value === null ? null : value / this.quantity.scale)}`);
            item.style.setProperty('--series', color);
            return item;
          });
    const left = this.#lines.length - MOST_READINGS;
    if (step !== null && left > 0) items.push(make('li', 'more', `and ${left} more, in the CSV`));
    this.#reading.replaceChildren(...items);
  }

  #listen(): void {
    const box = this.#box;
    box.addEventListener('pointerdown', (event) => {
      this.#dragFrom = this.#within(event);
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener('pointermove', (event) => {
      const at = this.#within(event);
      const step = this.#stepAt(at);
      if (step !== null) this.#events.onPoint(step);
      if (this.#dragFrom === null) return;
      this.#band.hidden = false;
      this.#band.style.setProperty('--at', `${Math.min(at, this.#dragFrom)}px`);
      this.#band.style.setProperty('--span', `${Math.abs(at - this.#dragFrom)}px`);
    });
    const end = (event: PointerEvent, zooms: boolean): void => {
      const [from, to] = [this.#dragFrom, this.#within(event)];
      this.#dragFrom = null;
      this.#band.hidden = true;
      if (!zooms || from === null || Math.abs(to - from) < SHORTEST_DRAG) return;
      const steps = [this.#stepAt(from), this.#stepAt(to)].filter((step) => step !== null).sort((a, b) => a - b);
      if (steps.length === 2) this.#events.onZoom(steps[0]!, steps[1]!);
    };
    box.addEventListener('pointerup', (event) => end(event, true));
    box.addEventListener('pointercancel', (event) => end(event, false));
  }

  #within({ clientX }: PointerEvent): number {
    const { left, width } = this.#box.getBoundingClientRect();
    return Math.min(Math.max(clientX - left, MARGINS.marginLeft), width - MARGINS.marginRight);
  }

  #stepAt(x: number): number | null {
    const step = Number(this.#svg?.scale('x')?.invert?.(x));
    return Number.isFinite(step) ? Math.max(1, Math.round(step)) : null;
  }
}

function marksOf({ name, color, isDashed, curve }: Line, view: View & { scale: number; hasBands: boolean }) {
  const { Plot } = window;
  const { scale, logY, smoothing } = view;
  const shown = (values: readonly (number | null)[]): number[] =>
    values.map((value) => (value === null || (logY && value <= 0) ? Number.NaN : value / scale));
  const { steps } = curve;
  const length = { length: steps.length };
  const mean = shown(smoothed(curve.mean, smoothing));
  const dash = isDashed ? { strokeDasharray: '5 3' } : {};
  const line = { x: steps, stroke: color, clip: true as const, ariaLabel: () => name };
  return [
    ...(view.hasBands
      ? [
          Plot.areaY(length, {
            x: steps,
            y1: shown(curve.min),
            y2: shown(curve.max),
            fill: color,
            fillOpacity: 0.13,
            clip: true,
          }),
        ]
      : []),
    ...(view.hasBands && smoothing > 0
      ? [Plot.line(length, { ...line, y: shown(curve.mean), strokeWidth: 1, strokeOpacity: 0.35 })]
      : []),
    Plot.line(length, { ...line, y: mean, strokeWidth: 1.6, ...dash }),
    // A single step is no line yet.
    ...(steps.length === 1 ? [Plot.dot(length, { x: steps, y: mean, fill: color, r: 3 })] : []),
  ];
}

/** Room around values that are all the same. */
function flatDomain(lines: readonly Line[], scale: number): { domain?: [number, number] } {
  const values = lines.flatMap(({ curve }) => [...curve.min, ...curve.max]).filter((value) => value !== null);
  const [low, high] = [
    values.reduce((a, b) => Math.min(a, b), Infinity),
    values.reduce((a, b) => Math.max(a, b), -Infinity),
  ];
  if (low !== high) return {};
  const room = Math.max(Math.abs(low) * 0.1, 1e-9);
  return { domain: [(low - room) / scale, (high + room) / scale] };
}

function stepText(step: number): string {
  return step >= 1000 ? `${Number((step / 1000).toPrecision(3))}k` : String(step);
}
