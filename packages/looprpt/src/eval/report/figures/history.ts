/**
 * A training quantity over steps, thinned for drawing: means over windows of equal length, and the range within each.
 * Nothing is smoothed beyond its window, so a spike stays where it was.
 */
import type { MetricsRecord } from '../../../train/metrics/record.js';

export interface HistoryPoint {
  /** The middle of the window. */
  step: number;
  mean: number;
  low: number;
  high: number;
}

const WINDOWS = 120;

/** @param pick the quantity; records where it is absent or not finite are left out */
export function history(
  records: readonly MetricsRecord[],
  pick: (record: MetricsRecord) => number | undefined,
): HistoryPoint[] {
  const length = Math.max(1, Math.ceil(records.length / WINDOWS));
  const points: HistoryPoint[] = [];
  for (let start = 0; start < records.length; start += length) {
    const window = records.slice(start, start + length);
    const values = window.map(pick).filter((value): value is number => value !== undefined && Number.isFinite(value));
    if (values.length === 0) continue;
    points.push({
      step: (window[0]!.step + window.at(-1)!.step) / 2,
      mean: values.reduce((sum, value) => sum + value, 0) / values.length,
      low: Math.min(...values),
      high: Math.max(...values),
    });
  }
  return points;
}

/**
 * An interval to draw: all the window means, and all but the widest twentieth of the windows' ranges, so that one spike does not
 * flatten the rest.
 */
export function historyDomain(histories: readonly HistoryPoint[][]): [number, number] {
  const points = histories.flat();
  const lows = points.map(({ low }) => low).toSorted((a, b) => a - b);
  const highs = points.map(({ high }) => high).toSorted((a, b) => a - b);
  const means = points.map(({ mean }) => mean);
  const spare = Math.floor(points.length / 20);
  const low = Math.min(lows[spare]!, ...means);
  const high = Math.max(highs[highs.length - 1 - spare]!, ...means);
  const pad = high > low ? 0.02 * (high - low) : Math.max(1e-9, 0.05 * Math.abs(high));
  return [low - pad, high + pad];
}
