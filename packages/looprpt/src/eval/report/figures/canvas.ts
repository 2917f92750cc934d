/**
 * Draws figures as SVG strings: small-multiple panels by Observable Plot, on one sheet with a legend.
 *
 * Plot and jsdom take a second to load, so they are loaded when the first figure is drawn and not before.
 */
import type { Markish, PlotOptions, ScaleOptions } from '@observablehq/plot';
import { color, type SeriesStyle } from './palette.js';

export interface Canvas {
  Plot: typeof import('@observablehq/plot');
  document: Document;
  /** Of figures, in pixels. On a narrow one a panel stands below the other. */
  width: number;
  serialize(element: Element): string;
}

/** The figures' width in pixels where there is room; a page may scale them. */
export const SHEET_WIDTH = 960;
/** And on a phone. */
export const NARROW_WIDTH = 368;

export async function openCanvas(width: number = SHEET_WIDTH): Promise<Canvas> {
  const [{ JSDOM }, Plot] = await Promise.all([import('jsdom'), import('@observablehq/plot')]);
  const { window } = new JSDOM('');
  const serializer = new window.XMLSerializer();
  return { Plot, document: window.document, width, serialize: (element) => serializer.serializeToString(element) };
}

const FONT_SIZE = 12;
/** A generous mean width of a character, to lay out text without measuring it. */
const CHARACTER_WIDTH = 6.9;
/** A panel is not narrower where it can stand alone in its row. */
const LEAST_PANEL = 200;

export interface PanelOptions {
  title: string;
  subtitle?: string;
  x: ScaleOptions;
  y: ScaleOptions;
  marks: Markish[];
  marginLeft?: number;
}

export interface LegendEntry {
  label: string;
  stroke: string;
  strokeWidth?: number;
  strokeDasharray?: string;
  /** A symbol upon the line, or alone where `stroke` is `none`. */
  symbol?: SeriesStyle['symbol'];
  symbolFill?: string;
  symbolStroke?: string;
}

export interface Sheet {
  /** What the figure shows, for those who cannot see it. */
  label: string;
  panels: PanelOptions[];
  columns: number;
  panelHeight: number;
  legend: LegendEntry[];
}

/** @returns a root `<svg>` with a viewBox, colours as CSS variables; well-formed XML */
export function drawSheet(canvas: Canvas, sheet: Sheet): string {
  const gap = 16;
  const { width } = canvas;
  const columns = Math.max(1, Math.min(sheet.columns, Math.floor(width / LEAST_PANEL)));
  const panelWidth = (width - gap * (columns - 1)) / columns;
  const legend = drawLegend(canvas, sheet.legend);
  const rows = Math.ceil(sheet.panels.length / columns);
  const height = legend.height + rows * sheet.panelHeight + (rows - 1) * gap;
  const root = canvas.document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const attributes = {
    viewBox: `0 0 ${width} ${height}`,
    width: String(width),
    height: String(height),
    role: 'img',
    'aria-label': sheet.label,
    'font-family': 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif',
    color: color('ink'),
  };
  for (const [name, value] of Object.entries(attributes)) root.setAttribute(name, value);
  if (legend.element) root.append(legend.element);
  sheet.panels.forEach((options, index) => {
    const panel = drawPanel(canvas, options, panelWidth, sheet.panelHeight);
    panel.setAttribute('x', String((index % columns) * (panelWidth + gap)));
    panel.setAttribute('y', String(legend.height + Math.floor(index / columns) * (sheet.panelHeight + gap)));
    root.append(panel);
  });
  return canvas.serialize(root);
}

function drawPanel({ Plot, document }: Canvas, options: PanelOptions, width: number, height: number): Element {
  const heading = (text: string, dy: number, style: { fontWeight?: number; fill: string }): Markish =>
    Plot.text([text], { frameAnchor: 'top-left', dy, lineAnchor: 'bottom', fontSize: 12.5, ...style });
  const axis = { labelAnchor: 'center', labelArrow: 'none' } as const;
  const marginTop = options.subtitle === undefined ? 30 : 46;
  const plotOptions: PlotOptions = {
    document,
    className: 'panel',
    width,
    height,
    marginTop,
    marginLeft: options.marginLeft ?? (options.y.label ? 62 : 56),
    marginRight: 16,
    marginBottom: 42,
    style: `font-size: ${FONT_SIZE}px`,
    x: { ...axis, ...options.x, tickSize: 0 },
    y: { ...axis, ...options.y, tickSize: 0 },
    marks: [
      Plot.gridY({ stroke: color('grid'), strokeOpacity: 1, ...ticksOf(options.y) }),
      ...options.marks,
      heading(shorten(options.title, Math.floor(width / CHARACTER_WIDTH) - 6), options.subtitle ? -24 : -10, {
        fontWeight: 600,
        fill: 'currentColor',
      }),
      ...(options.subtitle ? [heading(options.subtitle, -8, { fill: color('ink-muted') })] : []),
    ],
  };
  return plain(Plot.plot(plotOptions));
}

function ticksOf({ ticks }: ScaleOptions): { ticks?: NonNullable<ScaleOptions['ticks']> } {
  return ticks === undefined || ticks === null ? {} : { ticks: ticks as NonNullable<ScaleOptions['ticks']> };
}

function drawLegend(
  { Plot, document, width: sheetWidth }: Canvas,
  entries: LegendEntry[],
): { element?: Element; height: number } {
  if (entries.length === 0) return { height: 0 };
  const swatch = 28;
  const rowHeight = 22;
  let x = 4;
  let row = 0;
  const placed = entries.map((entry) => {
    const label = shorten(entry.label, Math.min(48, Math.floor((sheetWidth - swatch - 30) / CHARACTER_WIDTH)));
    const width = swatch + 8 + label.length * CHARACTER_WIDTH + 18;
    if (x + width > sheetWidth && x > 4) {
      x = 4;
      row++;
    }
    const place = { ...entry, label, x, y: row * rowHeight + rowHeight / 2 };
    x += width;
    return place;
  });
  const height = (row + 1) * rowHeight + 8;
  const element = Plot.plot({
    document,
    className: 'legend',
    width: sheetWidth,
    height,
    margin: 0,
    style: `font-size: ${FONT_SIZE}px`,
    x: { type: 'identity', axis: null },
    y: { type: 'identity', axis: null },
    marks: placed.flatMap((entry) => [
      Plot.link([entry], {
        x1: entry.x,
        x2: entry.x + swatch,
        y1: entry.y,
        y2: entry.y,
        stroke: entry.stroke,
        strokeWidth: entry.strokeWidth ?? 2,
        ...(entry.strokeDasharray && { strokeDasharray: entry.strokeDasharray }),
      }),
      ...(entry.symbol
        ? [
            Plot.dot([entry], {
              x: entry.x + swatch / 2,
              y: entry.y,
              r: 4.5,
              symbol: entry.symbol,
              fill: entry.symbolFill ?? entry.stroke,
              stroke: entry.symbolStroke ?? entry.stroke,
            }),
          ]
        : []),
      Plot.text([entry.label], { x: entry.x + swatch + 8, y: entry.y, textAnchor: 'start', fill: 'currentColor' }),
    ]),
  });
  return { element: plain(element), height };
}

/** Without Plot's style sheets. A figure is one picture, named at its root; what its parts are called is for programs. */
function plain(element: Element): Element {
  for (const style of element.querySelectorAll('style')) style.remove();
  for (const part of element.querySelectorAll('[aria-label]')) {
    part.setAttribute('data-label', part.getAttribute('aria-label')!);
    part.removeAttribute('aria-label');
  }
  return element;
}

export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(1, length - 1))}…`;
}
