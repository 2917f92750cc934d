/** What a run keeps of its metrics, against its metrics. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test-support/temporary-folder.js';
import { tinyRun } from '../../../../test-support/tiny-run.js';
import { train } from '../../train.js';
import { METRICS_FILE, MetricsLog } from '../metrics-log.js';
import { type MetricsRecord, teeMetrics } from '../record.js';
import { DIGEST_FILE, readDigest } from './digest.js';
import { Series } from './series.js';
import { ThinnedLog } from './thinned-log.js';

function expectDigest(folder: string): void {
  const metrics = join(folder, METRICS_FILE);
  const { reading, covers } = readDigest(join(folder, DIGEST_FILE), metrics)!;
  expect(covers).toBe(statSync(metrics).size);
  const series = new Series();
  let offset = 0;
  for (const line of readFileSync(metrics, 'utf8').trim().split('\n')) {
    series.add(JSON.parse(line), offset);
    offset += line.length + 1;
  }
  expect(reading.series.stored).toEqual(series.stored);
}

const record = (step: number, seconds: number): MetricsRecord => ({
  ...{ step, seconds, tokens: step, tokensPerSecond: 1, learningRate: 1, loss: 1 / step, parts: {}, gradientNorm: 1 },
  ...{ exitHistogram: [1], exitEntropy: 0, meanLoops: 1, memoryBytes: 1 },
});

describe("a run's digest", () => {
  it('is of its whole metrics when it ends', async () => {
    const out = join(temporaryFolder().path, 'run');
    const { config } = await tinyRun();
    await train(config(out, { steps: 3 }));
    expectDigest(out);
  });

  it('follows a run that goes back, is resumed, or had it damaged', () => {
    const { path } = temporaryFolder();
    const open = () => teeMetrics([new MetricsLog(join(path, METRICS_FILE)), new ThinnedLog(join(path, METRICS_FILE))]);
    const first = open();
    for (let step = 1; step <= 10; step++) first.write(record(step, step));
    first.close();
    expectDigest(path);
    const second = open();
    second.rewind(5);
    for (let step = 6; step <= 12; step++) second.write(record(step, 100 + step));
    second.close();
    expectDigest(path);
    writeFileSync(join(path, DIGEST_FILE), 'nonsense');
    const third = open();
    third.write(record(13, 200));
    third.close();
    expectDigest(path);
  });
});
