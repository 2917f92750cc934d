/**
 * One number for a curve of accuracy over mean loops: its mean height over 1..K.
 *
 * The curve is taken as straight lines between its points in order of mean loops, and flat from its first point down to
 * 1 and from its last up to K. Nothing is made of the points' upper envelope: a rule is judged as it is, dips included.
 */
import assert from 'node:assert/strict';

export interface CurvePoint {
  meanLoops: number;
  accuracy: number;
}

/** A fraction like an accuracy; for K = 1 the accuracy of the first point. */
export function areaUnder(points: readonly CurvePoint[], loops: number): number {
  assert(points.length > 0);
  const sorted = points.toSorted((a, b) => a.meanLoops - b.meanLoops);
  const first = sorted[0]!;
  if (loops === 1) return first.accuracy;
  const last = sorted.at(-1)!;
  let area = (first.meanLoops - 1) * first.accuracy + (loops - last.meanLoops) * last.accuracy;
  for (let i = 1; i < sorted.length; i++) {
    const [a, b] = [sorted[i - 1]!, sorted[i]!];
    area += ((b.meanLoops - a.meanLoops) * (a.accuracy + b.accuracy)) / 2;
  }
  return area / (loops - 1);
}
