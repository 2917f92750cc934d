import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomTable } from '../../test-support/random-table.js';
import { firstReaching } from '../../test-support/slow/slow-exit.js';
import { scoreAdaptive } from './adaptive.js';
import { areaUnder } from './area.js';
import { splitByDifficulty, tercileThresholds } from './buckets.js';
import { exitCalibration } from './calibration.js';
import { oracleExits } from './oracle.js';
import { scorePerLoop } from './per-loop.js';
import { ruleCurves, thresholdSettings } from './rule-curves.js';
import { scoreAt } from './score.js';
import { exitsBySignal, nextAbove } from './thresholds.js';
import type { TokenTable } from './token-table.js';

const noFlops = { perLoop: 0, head: 0 };
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const indices = (table: TokenTable) => Array.from({ length: table.tokens }, (_, n) => n);
const loopsOf = (table: TokenTable) => Array.from({ length: table.loops }, (_, k) => k + 1);

describe('scores', () => {
  it('per loop and per threshold equal plain means over tokens', () => {
    fc.assert(
      fc.property(randomTable(), fc.integer({ min: -1, max: 11 }), (table, tenth) => {
        const tau = tenth / 10;
        scorePerLoop(table).forEach(({ loop, accuracy, crossEntropy }, k) => {
          expect(loop).toBe(k + 1);
          expect(accuracy).toBeCloseTo(mean([...table.correct[k]!]), 12);
          expect(crossEntropy).toBeCloseTo(-mean([...table.logProb[k]!]), 12);
        });
        const [score] = scoreAdaptive(table, [tau]);
        const steps = indices(table).map((n) => {
          const step = table.exitCdf.findIndex((column) => column[n]! >= Math.fround(tau));
          return step === -1 ? table.loops - 1 : step;
        });
        expect(score!.accuracy).toBeCloseTo(mean(steps.map((k, n) => table.correct[k]![n]!)), 12);
        expect(score!.crossEntropy).toBeCloseTo(mean(steps.map((k, n) => -table.logProb[k]![n]!)), 12);
        expect(score!.meanLoops).toBeCloseTo(mean(steps) + 1, 12);
        expect(score!.exitShare).toEqual(
          loopsOf(table).map((loop) => steps.filter((k) => k + 1 === loop).length / table.tokens),
        );
      }),
    );
  });

  it('exits by the gate are those of the exit distribution', () => {
    // Cdf values of the slow version are float64; thresholds that none of them meets exactly.
    fc.assert(
      fc.property(randomTable(), fc.constantFrom(0.1234, 0.5678, 0.9321), (table, tau) => {
        const exits = exitsBySignal(table.exitCdf, tau);
        for (const n of indices(table)) {
          const cdf = table.exitCdf.map((column) => column[n]!);
          const pdf = cdf.map((c, k) => c - (cdf[k - 1] ?? 0));
          expect(exits[n]).toBe(firstReaching(pdf, tau) + 1);
        }
      }),
    );
  });
});

describe('exit rules', () => {
  it('spread their mean loops over 1..K in order, in steps no larger than ties force', () => {
    fc.assert(
      fc.property(randomTable({ minLoops: 2 }), fc.integer({ min: 2, max: 20 }), (table, points) => {
        for (const { rule, points: curve } of ruleCurves(table, noFlops, points)) {
          if (rule === 'oracle' || rule === 'static') continue;
          const meanLoops = curve.map((point) => point.meanLoops);
          expect(meanLoops[0]).toBe(1);
          expect(meanLoops.at(-1)).toBe(table.loops);
          expect(meanLoops).toEqual(meanLoops.toSorted((a, b) => a - b));
          expect(curve.length).toBeLessThanOrEqual(points);
        }
      }),
    );
    // Without ties the steps are even.
    const values = Float32Array.from({ length: 100 }, (_, n) => ((n * 37) % 100) / 100);
    const table = { ...emptyTable(2, 100), exitCdf: [values, new Float32Array(100).fill(1)] };
    const settings = thresholdSettings(table, 'gate', 11);
    const reached = settings.map(({ exits }) => mean([...exits]));
    expect(reached.map((loops) => loops.toFixed(2))).toEqual(
      Array.from({ length: 11 }, (_, i) => (1 + i / 10).toFixed(2)),
    );
  });

  it('stop where the definition of each rule says', () => {
    fc.assert(
      fc.property(randomTable(), (table) => {
        const stops: Record<string, (setting: number, k: number, n: number) => boolean> = {
          gate: (setting, k, n) => table.exitCdf[k]![n]! >= setting,
          'hidden-change': (setting, k, n) => table.hiddenChange[k]![n]! <= setting,
          confidence: (setting, k, n) => table.confidence[k]![n]! >= setting,
          entropy: (setting, k, n) => table.entropy[k]![n]! <= setting,
          static: (setting, k) => k + 1 >= setting,
        };
        for (const { rule, points } of ruleCurves(table, { perLoop: 10, head: 3 }, 9)) {
          if (rule === 'oracle') continue;
          for (const point of points) {
            const steps = indices(table).map((n) => {
              const step = table.logProb.findIndex((_, k) => stops[rule]!(point.setting, k, n));
              return step === -1 ? table.loops - 1 : step;
            });
            expect(point.meanLoops).toBeCloseTo(mean(steps) + 1, 12);
            expect(point.accuracy).toBeCloseTo(mean(steps.map((k, n) => table.correct[k]![n]!)), 12);
            const readouts = rule === 'confidence' || rule === 'entropy' ? point.meanLoops : 1;
            expect(point.flopsPerToken).toBeCloseTo(10 * point.meanLoops + 3 * readouts, 9);
          }
        }
      }),
    );
  });

  it('never beat the oracle', () => {
    fc.assert(
      fc.property(randomTable(), (table) => {
        const curves = ruleCurves(table, noFlops, 9);
        const oracle = curves.find(({ rule }) => rule === 'oracle')!.points;
        const bound = (at: number) => {
          const right = oracle.findIndex(({ meanLoops }) => meanLoops >= at);
          if (right === -1) return oracle.at(-1)!.accuracy;
          const [a, b] = [oracle[right - 1], oracle[right]!];
          if (!a || b.meanLoops === a.meanLoops) return b.accuracy;
          return a.accuracy + ((b.accuracy - a.accuracy) * (at - a.meanLoops)) / (b.meanLoops - a.meanLoops);
        };
        for (const { points } of curves)
          for (const { meanLoops, accuracy } of points) expect(accuracy).toBeLessThanOrEqual(bound(meanLoops) + 1e-9);
        const known = indices(table).filter((n) => table.correct.some((column) => column[n] === 1));
        expect(scoreAt(table, oracleExits(table, table.loops)).accuracy).toBeCloseTo(known.length / table.tokens, 12);
      }),
    );
  });

  it('thresholds step by single float32 numbers', () => {
    for (const value of [0, 1, -1, 0.1, -3.5, 1e-30]) {
      const x = Math.fround(value);
      expect(nextAbove(x)).toBeGreaterThan(x);
      expect(Math.fround((x + nextAbove(x)) / 2) === x || Math.fround((x + nextAbove(x)) / 2) === nextAbove(x)).toBe(
        true,
      );
    }
  });
});

describe('area', () => {
  it('equals the mean height of the interpolated curve', () => {
    const point = fc.record({
      meanLoops: fc.integer({ min: 10, max: 40 }).map((x) => x / 10),
      accuracy: fc.integer({ min: 0, max: 20 }).map((x) => x / 20),
    });
    const curve = fc.uniqueArray(point, { selector: ({ meanLoops }) => meanLoops, minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(curve, (points) => {
        const sorted = points.toSorted((a, b) => a.meanLoops - b.meanLoops);
        const height = (x: number) => {
          const i = sorted.findIndex(({ meanLoops }) => meanLoops >= x);
          if (i === -1) return sorted.at(-1)!.accuracy;
          if (i === 0) return sorted[0]!.accuracy;
          const share = (x - sorted[i - 1]!.meanLoops) / (sorted[i]!.meanLoops - sorted[i - 1]!.meanLoops);
          return sorted[i - 1]!.accuracy * (1 - share) + sorted[i]!.accuracy * share;
        };
        const steps = 30_000;
        const heights = Array.from({ length: steps }, (_, i) => height(1 + (3 * (i + 0.5)) / steps));
        expect(areaUnder(points, 4)).toBeCloseTo(mean(heights), 5);
      }),
      { numRuns: 20 },
    );
    expect(areaUnder([{ meanLoops: 1, accuracy: 0.25 }], 1)).toBe(0.25);
  });
});

describe('buckets', () => {
  it('are thirds of the reference’s entropies, keep every token, and are in order', () => {
    fc.assert(
      fc.property(randomTable(), fc.func(fc.integer({ min: 0, max: 9 })), (table, draw) => {
        const entropy = Float32Array.from(indices(table), (n) => draw(n));
        const thresholds = tercileThresholds(entropy);
        const { easy, medium, hard } = splitByDifficulty(table, entropy, thresholds);
        expect(easy.tokens + medium.tokens + hard.tokens).toBe(table.tokens);
        expect(easy.tokens).toBe(indices(table).filter((n) => entropy[n]! <= thresholds[0]).length);
        expect(hard.tokens).toBe(indices(table).filter((n) => entropy[n]! > thresholds[1]).length);
        // At least a third lies at or below each cut, and less than that strictly below.
        const below = (cut: number, inclusive: boolean) =>
          entropy.filter((value) => value < cut || (inclusive && value === cut)).length;
        thresholds.forEach((cut, i) => {
          expect(below(cut, true) * 3).toBeGreaterThanOrEqual((i + 1) * table.tokens);
          expect(below(cut, false) * 3).toBeLessThan((i + 1) * table.tokens);
        });
      }),
    );
  });
});

describe('calibration', () => {
  it('equals the same numbers counted one by one', () => {
    fc.assert(
      fc.property(randomTable(), fc.integer({ min: 1, max: 12 }), (table, bins) => {
        const { error, bins: filled } = exitCalibration(table, bins);
        const forecasts = indices(table).flatMap((n) =>
          loopsOf(table)
            .slice(0, -1)
            .map((loop) => ({
              cdf: table.exitCdf[loop - 1]![n]!,
              correct: table.correct[loop - 1]![n]!,
              settled: Number(table.prediction[loop - 1]![n] === table.prediction.at(-1)![n]),
            })),
        );
        let expected = 0;
        for (let bin = 0; bin < bins; bin++) {
          const inside = forecasts.filter(
            ({ cdf }) => cdf * bins >= bin && (cdf * bins < bin + 1 || (bin === bins - 1 && cdf * bins >= bins)),
          );
          const found = filled.find(({ from }) => from === bin / bins);
          expect(found?.forecasts ?? 0).toBe(inside.length);
          if (!found) continue;
          expect(found.meanCdf).toBeCloseTo(mean(inside.map(({ cdf }) => cdf)), 9);
          expect(found.correct).toBeCloseTo(mean(inside.map(({ correct }) => correct)), 9);
          expect(found.settled).toBeCloseTo(mean(inside.map(({ settled }) => settled)), 9);
          expected += (inside.length / forecasts.length) * Math.abs(found.meanCdf - found.settled);
        }
        expect(error).toBeCloseTo(expected, 9);
      }),
    );
  });
});

function emptyTable(loops: number, tokens: number): TokenTable {
  const floats = () => Array.from({ length: loops }, () => new Float32Array(tokens));
  return {
    tokens,
    loops,
    logProb: floats(),
    entropy: floats(),
    confidence: floats(),
    hiddenChange: floats(),
    gateLogit: floats(),
    exitCdf: floats(),
    correct: Array.from({ length: loops }, () => new Uint8Array(tokens)),
    prediction: Array.from({ length: loops }, () => new Int32Array(tokens)),
    sequence: new Int32Array(tokens),
    document: new Int32Array(tokens),
    context: new Int32Array(tokens),
  };
}
