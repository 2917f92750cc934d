/** Evaluations and metrics with simple numbers that a test can recognise in a report. Never imported by the product. */
import type { Breakdown, CurveRule, EvalResult } from 'looprpt/internal/eval/result.js';
import type { MetricsRecord } from 'looprpt/internal/train/metrics/record.js';

/** Accuracy rises from `first` by 0.1 a loop; curves have a point at every half loop. */
function breakdown(first: number, loops: number, tokens: number): Breakdown {
  const perLoop = Array.from({ length: loops }, (_, k) => ({
    loop: k + 1,
    accuracy: first + 0.1 * k,
    crossEntropy: 2 - 0.25 * k,
  }));
  const curve = (rule: CurveRule, lower: number) => ({
    rule,
    points: Array.from({ length: 2 * loops - 1 }, (_, i) => ({
      setting: i,
      accuracy: first + 0.05 * i - lower,
      crossEntropy: 2 - 0.125 * i,
      meanLoops: 1 + i / 2,
      flopsPerToken: 1000 * (1 + i / 2),
    })),
  });
  const rules = [curve('gate', 0), curve('hidden-change', 0.01), curve('confidence', 0.02), curve('entropy', 0.03)];
  return {
    tokens,
    perLoop,
    peak: perLoop.at(-1)!,
    adaptive: [0.3, 0.5, 0.7].map((tau, i) => ({
      tau,
      accuracy: first + 0.02 * i,
      crossEntropy: 1.5,
      meanLoops: Math.min(loops, 1.5 + i),
      exitShare: Array.from({ length: loops }, () => 1 / loops),
    })),
    rules: [...rules, { ...curve('static', 0), points: curve('static', 0).points.filter((_, i) => i % 2 === 0) }],
    area: { gate: first + 0.15 },
    frontier: { area: first + 0.16, within: [{ loops: 1.5, accuracy: first + 0.05 }] },
  };
}

export function madeUpEvaluation(model: string, first: number, loops = 4): EvalResult {
  const part = (by: number): Breakdown => breakdown(first + by, loops, 100);
  return {
    model,
    data: 'made-up tokens',
    loops,
    ...breakdown(first, loops, 300),
    buckets: { easy: part(0.1), medium: part(0), hard: part(-0.1) },
    reference: 'base',
    thresholds: [0.5, 1.5],
    flops: { perLoop: 1000, head: 100 },
  };
}

export function madeUpMetrics(steps: number): MetricsRecord[] {
  return Array.from({ length: steps }, (_, i) => ({
    step: i + 1,
    tokens: 100 * (i + 1),
    seconds: i + 1,
    tokensPerSecond: 100,
    learningRate: 1e-3,
    loss: 3 - i / steps,
    parts: { policy: -0.1, representation: 2 - i / steps },
    gradientNorm: 1,
    rewardByLoop: [-1, -0.5, -0.25, -0.2],
    exitHistogram: [0.25, 0.25, 0.25, 0.25],
    exitEntropy: 1.3,
    meanLoops: 2.5 - i / steps,
    memoryBytes: 1e8,
  }));
}
