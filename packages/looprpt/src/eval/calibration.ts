/**
 * Is the exit CDF an honest probability that nothing is lost by stopping?
 *
 * Every (token, loop k < K) is one forecast: the CDF says how sure the gate is that the answer is ready. It is held
 * against two outcomes: the prediction is right now, and it is the one that full depth gives, so that further loops
 * change nothing. `error` is the mean distance between forecast and the second outcome over bins of the CDF, weighted by their
 * forecasts (an expected calibration error): 0 for a gate whose word can be taken.
 */
import type { Calibration, CalibrationBin } from './result.js';
import type { TokenTable } from './token-table.js';

/** @param bins of equal width over [0, 1]; empty ones are left out. K = 1 has no forecasts, and error 0. */
export function exitCalibration(table: TokenTable, bins = 10): Calibration {
  const { tokens: N, loops: K, exitCdf, correct, prediction } = table;
  const sums = Array.from({ length: bins }, () => ({ forecasts: 0, cdf: 0, correct: 0, settled: 0 }));
  const final = prediction[K - 1]!;
  for (let k = 0; k < K - 1; k++) {
    for (let n = 0; n < N; n++) {
      const cdf = exitCdf[k]![n]!;
      const bin = sums[Math.max(0, Math.min(bins - 1, Math.floor(cdf * bins)))]!;
      bin.forecasts++;
      bin.cdf += cdf;
      bin.correct += correct[k]![n]!;
      if (prediction[k]![n] === final[n]) bin.settled++;
    }
  }
  const filled = sums.flatMap(({ forecasts, ...sum }, i): CalibrationBin[] =>
    forecasts === 0
      ? []
      : [
          {
            from: i / bins,
            to: (i + 1) / bins,
            forecasts,
            meanCdf: sum.cdf / forecasts,
            correct: sum.correct / forecasts,
            settled: sum.settled / forecasts,
          },
        ],
  );
  const total = N * (K - 1);
  const error = filled.reduce((sum, bin) => sum + (bin.forecasts / total) * Math.abs(bin.meanCdf - bin.settled), 0);
  return { error, bins: filled };
}
