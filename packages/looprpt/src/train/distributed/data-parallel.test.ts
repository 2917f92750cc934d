/**
 * Runs on 2 and 4 ranks (processes of one thread, over Gloo) against the run of one process with the same global batch.
 *
 * Sums of float32 in another order differ in their last bits, and the optimizer divides by roots of such sums: losses must agree
 * within 1e-5 of themselves, weights within 1e-4. Where the order is the same, bits must be.
 */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { distributedBackends, scope } from '@looprpt/engine';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RankJob } from '../../../test-support/rank-worker.js';
import { freePort, startRanks, workerCommand } from '../../../test-support/ranks.js';
import { type Changes, ranksBase, ranksConfig } from '../../../test-support/ranks-case.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { loadModel } from '../../checkpoint/load-model.js';
import { readMetrics } from '../metrics/metrics-log.js';
import { run } from '../run.js';
import { type RunConfigInput, runConfigSchema } from '../run-config.js';

const possible = distributedBackends().includes('gloo');
let base = '';

const config = (out: string, changes: Changes): RunConfigInput => ranksConfig(base, out, changes);

beforeAll(async () => {
  if (possible) base = await ranksBase();
});

async function onRanks(size: number, folder: string, jobs: readonly Omit<RankJob, 'port'>[]): Promise<void> {
  const withPorts = await Promise.all(jobs.map(async (job) => ({ ...job, port: await freePort() })));
  const ranks = startRanks(size, workerCommand(join(folder, `jobs-${size}.json`), withPorts));
  const ends = await Promise.all(ranks.map(({ ended }) => ended));
  expect(ends.map(({ code, err }) => ({ code, err }))).toEqual(ranks.map(() => ({ code: 0, err: '' })));
}

const alone = (out: string, changes: Changes): Promise<unknown> =>
  run(runConfigSchema.parse(config(out, changes)), false);

function expectClose(a: string, b: string): void {
  const [one, other] = [a, b].map((out) => readMetrics(join(out, 'metrics.jsonl')).records);
  expect(other!.map(({ step, tokens }) => [step, tokens])).toEqual(one!.map(({ step, tokens }) => [step, tokens]));
  const numbers = (record: (typeof one & {})[number]): number[] => [
    record.loss,
    record.gradientNorm,
    record.exitEntropy,
    record.meanLoops,
    ...record.exitHistogram,
    ...Object.values(record.parts),
    ...(record.rewardByLoop ?? []),
  ];
  one!.forEach((record, i) => {
    const [want, got] = [numbers(record), numbers(other![i]!)];
    want.forEach((value, n) => {
      expect(Math.abs(got[n]! - value), `${b}, step ${i + 1}`).toBeLessThan(1e-5 * (1 + Math.abs(value)));
    });
  });
  expect(largestDifference(a, b)).toBeLessThan(1e-4);
}

const newest = (out: string): string =>
  join(out, 'checkpoints', `step-${readMetrics(join(out, 'metrics.jsonl')).records.at(-1)!.step}`);

function largestDifference(a: string, b: string): number {
  return scope(() => {
    const [one, other] = [a, b].map((out) => loadModel(newest(out)).parameters());
    return Math.max(...one!.map(({ tensor }, i) => tensor.sub(other![i]!.tensor).abs().view(-1).amax(0).item()));
  });
}

const zero: Changes = { distributed: { zero: true } };
const cases: [name: string, changes: Changes][] = [
  ['stage1', { objective: { kind: 'stage1' } }],
  ['gate', { objective: { kind: 'gate' } }],
  ['uniform-ce', { objective: { kind: 'uniform-ce' } }],
  ['no-gate', { objective: { kind: 'uniform-ce', gateWeight: 0 }, optimizer: { weightDecay: 0.1 } }],
  ['hard-token-ce', { objective: { kind: 'hard-token-ce' } }],
  ['rollouts', { objective: { kind: 'looprpt', rolloutCount: 2, stepAdvantage: 'batch' } }],
  ['full', { objective: { kind: 'looprpt', rolloutCount: 2, rollouts: 'full', policyGradient: 'backbone' } }],
  [
    'batch-advantage',
    {
      objective: { kind: 'looprpt', policy: 'closed', advantage: 'batch', stepAdvantage: 'token', kappaShare: 0.5 },
      batch: { rows: 4, sequenceLength: 40, pack: 'whole', accumulate: 2 },
    },
  ],
  [
    'sampled-batch-advantage',
    {
      objective: { kind: 'looprpt', rolloutCount: 3, advantage: 'batch', rewardFrom: 'own' },
      memory: { recomputeLoops: true },
    },
  ],
];

describe.runIf(possible)('data parallel (skipped where libtorch has no Gloo)', () => {
  it('gives the losses and weights of one process, for every objective, with and without ZeRO', {
    timeout: 240_000,
  }, async () => {
    const { path } = temporaryFolder();
    const at = (kind: string, name: string): string => join(path, kind, name);
    for (const [name, changes] of cases) await alone(at('one', name), changes);
    // Each with ZeRO on one number of ranks and without on the other.
    const jobs = (kind: string, odd: number, more: Changes['distributed']) =>
      cases.map(([name, changes], i) => {
        const distributed = { ...more, zero: i % 2 === odd, replicateTeacher: i % 3 === 0 };
        return { config: config(at(kind, name), { ...changes, distributed }) };
      });
    await onRanks(2, path, jobs('two', 0, {}));
    // Small and uneven buckets, so that there are several.
    await onRanks(4, path, jobs('four', 1, { bucketMegabytes: 0.003 }));
    for (const [name] of cases) for (const kind of ['two', 'four']) expectClose(at('one', name), at(kind, name));
  });

  it('with ZeRO has the very bits of the same ranks without, where the norm plays no part', {
    timeout: 120_000,
  }, async () => {
    const { path } = temporaryFolder();
    const changes: Changes = { optimizer: { clipNorm: null, weightDecay: 0.1 }, dtype: 'bfloat16' };
    const outs = ['plain', 'zero', 'teacher'].map((name) => join(path, name));
    const distributed = [{}, { zero: true }, { zero: true, replicateTeacher: true }];
    await onRanks(
      2,
      path,
      outs.map((out, i) => ({ config: config(out, { ...changes, distributed: distributed[i] }) })),
    );
    const files = ['model.safetensors', 'trainer.safetensors'];
    const contents = outs.map((out) => files.map((file) => readFileSync(join(newest(out), file)).toString('base64')));
    expect(contents[1]).toEqual(contents[0]);
    expect(contents[2]).toEqual(contents[0]);
  });

  it('saved on 2 ranks resumes on 1 and on 4, and ends as the run of one process', { timeout: 240_000 }, async () => {
    const { path } = temporaryFolder();
    const [whole, parted, onFour] = ['whole', 'parted', 'four'].map((name) => join(path, name)) as [
      string,
      string,
      string,
    ];
    await alone(whole, {});
    await onRanks(2, path, [{ config: config(parted, zero), stopAfter: 2 }]);
    cpSync(parted, onFour, { recursive: true });
    expect(readMetrics(join(parted, 'metrics.jsonl')).records).toHaveLength(2);
    await run(runConfigSchema.parse(config(parted, {})), true);
    await onRanks(4, path, [{ config: config(onFour, zero), resume: true }]);
    expectClose(whole, parted);
    expectClose(whole, onFour);
  });
});
