/**
 * Exit rules over a whole table, "stop after the first loop whose signal reaches a threshold, after the last if none does", and
 * thresholds that spread such a rule's mean loops evenly over 1..K.
 *
 * A signal is K × N numbers, of which the last loop's are never looked at. Comparisons are those of model/exit-rule.ts: inclusive
 * and in float32. For a rule that stops when its number is small the number's negative is given.
 */
import type { Exits } from './score.js';
import type { Column } from './token-table.js';

/** Per token the first loop, from 1, whose signal is ≥ threshold. NaN never is. */
export function exitsBySignal(signal: Column<Float32Array>, threshold: number): Exits {
  const K = signal.length;
  const N = signal[0]!.length;
  const limit = Math.fround(threshold);
  const exits = new Uint8Array(N).fill(K);
  for (let k = K - 2; k >= 0; k--) {
    const column = signal[k]!;
    for (let n = 0; n < N; n++) if (column[n]! >= limit) exits[n] = k + 1;
  }
  return exits;
}

/**
 * At most `points` thresholds, ascending, from one that stops every token after loop 1 to one that stops none before K.
 *
 * A token has stopped by loop k exactly if the largest signal of loops 1..k reaches the threshold, so mean loops are
 * 1 + (K − 1)·(share of these N·(K − 1) running maxima that lie below it): equal steps in their quantiles are equal steps
 * in mean loops, but for ties.
 */
export function evenThresholds(signal: Column<Float32Array>, points: number): number[] {
  const K = signal.length;
  const N = signal[0]!.length;
  if (K === 1 || N === 0) return [0];
  const maxima = new Float32Array(N * (K - 1));
  for (let n = 0; n < N; n++) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < K - 1; k++) {
      const value = signal[k]![n]!;
      if (value > largest) largest = value;
      maxima[k * N + n] = largest;
    }
  }
  maxima.sort();
  const thresholds = Array.from(
    { length: points - 1 },
    (_, i) => maxima[Math.floor((i * maxima.length) / (points - 1))]!,
  );
  return [...new Set([...thresholds, nextAbove(maxima.at(-1)!)])];
}

/** The next float32 above a finite float32. */
export function nextAbove(value: number): number {
  const float = new Float32Array([value === 0 ? 0 : value]);
  const bits = new Int32Array(float.buffer);
  bits[0]! += value < 0 ? -1 : 1;
  return float[0]!;
}
