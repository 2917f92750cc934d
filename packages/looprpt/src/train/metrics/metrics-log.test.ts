import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../base/user-error.js';
import { MetricsLog, readMetrics, truncateAfter } from './metrics-log.js';
import { type MetricsRecord, teeMetrics } from './record.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'metrics-'));
  path = join(folder, 'metrics.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

function record(step: number, over: Partial<MetricsRecord> = {}): MetricsRecord {
  return {
    step,
    tokens: step * 512,
    seconds: step / 3,
    tokensPerSecond: 1500,
    learningRate: 1e-3,
    loss: 3 - step / 1000,
    parts: { rep: 2.5, pg: -0.01 },
    gradientNorm: 0.7,
    rewardByLoop: [-0.5, 0.1, 0.2, 0.15],
    exitHistogram: [0.1, 0.2, 0.3, 0.4],
    exitEntropy: 1.2,
    meanLoops: 3,
    memoryBytes: 1e8,
    ...over,
  };
}

function writeSteps(from: number, to: number): void {
  const log = new MetricsLog(path);
  for (let step = from; step <= to; step++) log.write(record(step));
  log.close();
}

describe('metrics.jsonl', () => {
  test('reads back what was written, appended over several openings', () => {
    writeSteps(1, 3);
    writeSteps(4, 5);
    expect(readMetrics(path)).toEqual({ records: [1, 2, 3, 4, 5].map((step) => record(step)), damagedTail: false });
  });

  test('a non-finite loss is null in the file and NaN in memory', () => {
    const log = new MetricsLog(path, { sync: true });
    log.write(record(1, { loss: Number.POSITIVE_INFINITY, skipped: true }));
    log.close();
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ loss: null, skipped: true });
    expect(readMetrics(path).records[0]?.loss).toBeNaN();
  });

  test('a file cut at any byte reads as its whole lines, and resumes without gap or repeat', () => {
    writeSteps(1, 6);
    const whole = readFileSync(path);
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(8), (length, checkpoint) => {
        const cut = whole.subarray(0, length);
        writeFileSync(path, cut);
        const newlines = cut.filter((byte) => byte === 10).length;
        const history = readMetrics(path);
        expect(history.records.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6].slice(0, newlines));
        expect(history.damagedTail).toBe(length > 0 && cut.at(-1) !== 10);

        const kept = Math.min(checkpoint, newlines);
        truncateAfter(path, checkpoint);
        expect(readMetrics(path).records).toHaveLength(kept);
        writeSteps(kept + 1, 8);
        expect(readMetrics(path).records.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
        expect(readdirSync(folder)).toEqual(['metrics.jsonl']);
      }),
      { numRuns: 60 },
    );
  });

  test('a damaged line that is not the last is named with its number', () => {
    writeSteps(1, 2);
    appendFileSync(path, '{"step":3,"tok\n');
    writeSteps(4, 4);
    expect(() => readMetrics(path)).toThrow(UserError);
    expect(() => readMetrics(path)).toThrow(`${path}:3: not a metrics record`);
  });

  test('truncating what is not there creates nothing', () => {
    truncateAfter(path, 3);
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('a rewound log goes on behind the step it went back to', () => {
  const log = new MetricsLog(path);
  for (const step of [1, 2, 3, 4]) log.write(record(step));
  log.rewind(2);
  log.write(record(3, { loss: 9 }));
  log.close();
  expect(readMetrics(path).records.map(({ step, loss }) => [step, loss])).toEqual([
    [1, record(1).loss],
    [2, record(2).loss],
    [3, 9],
  ]);
});

test('a tee hands every record, rewinding and the close to each sink', () => {
  const seen: string[] = [];
  const sink = (name: string) => ({
    write: ({ step }: MetricsRecord) => seen.push(`${name}${step}`),
    rewind: (step: number) => seen.push(`${name} back to ${step}`),
    close: () => seen.push(`${name} closed`),
  });
  const tee = teeMetrics([sink('a'), sink('b')]);
  tee.write(record(7));
  tee.rewind(4);
  tee.close();
  expect(seen).toEqual(['a7', 'b7', 'a back to 4', 'b back to 4', 'a closed', 'b closed']);
});
