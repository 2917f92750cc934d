/** Metrics as dashboards take them: flat names, finite numbers, nothing else; and `train` hands them on. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { tinyRun } from '../../../test-support/tiny-run.js';
import { train } from '../train.js';
import { flatMetrics } from './flat.js';
import { METRICS_FILE, readMetrics } from './metrics-log.js';

describe('flat metrics', () => {
  it('name parts and loops, and leave out what is no finite number', () => {
    const record = {
      ...{ step: 3, tokens: 1, seconds: 1, tokensPerSecond: 1, learningRate: Number.NaN, loss: 2, gradientNorm: 1 },
      ...{ parts: { a: 5, b: Number.POSITIVE_INFINITY }, exitHistogram: [0.25, 0.75], exitEntropy: 0, meanLoops: 1.75 },
      ...{ memoryBytes: 9, skipped: true, warnings: ['w'] },
    };
    expect(flatMetrics(record)).toEqual({
      ...{ tokens: 1, seconds: 1, tokensPerSecond: 1, loss: 2, gradientNorm: 1, exitEntropy: 0, meanLoops: 1.75 },
      ...{ 'parts.a': 5, 'exitHistogram.1': 0.25, 'exitHistogram.2': 0.75, memoryBytes: 9 },
    });
  });

  it('are what onMetrics gets of every step', async () => {
    const out = join(temporaryFolder().path, 'run');
    const { config } = await tinyRun();
    const told: [number, Record<string, number>][] = [];
    await train(config(out, { steps: 3 }), { onMetrics: (metrics, step) => told.push([step, metrics]) });
    const { records } = readMetrics(join(out, METRICS_FILE));
    expect(told).toEqual(records.map((record) => [record.step, flatMetrics(record)]));
    expect(told[0]![1]['exitHistogram.3']).toBe(records[0]!.exitHistogram[2]);
  });
});
