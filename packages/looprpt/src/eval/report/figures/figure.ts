/** A figure before it is drawn: its data, which `report --json` prints, and how to draw them. */
import type { Canvas } from './canvas.js';
import type { SeriesStyle } from './palette.js';

export interface Figure<Data = unknown> {
  /** Unique in a report; letters and dashes. */
  id: string;
  title: string;
  caption: string;
  data: Data;
  /** @returns an SVG as `drawSheet` makes them */
  draw(canvas: Canvas): string;
}

/** A run's name and how it looks in every figure. */
export interface Series {
  name: string;
  style: SeriesStyle;
}
