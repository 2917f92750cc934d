/**
 * Whole runs: interrupted, damaged or accumulated, a run must end as the uninterrupted one does, bit for bit. Kills are in
 * src/torture.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { beforeAll, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import {
  TINY_BATCH as BATCH,
  expectSameEnd,
  TINY_TASK as TASK,
  type TinyRun,
  tinyRun,
} from '../../test-support/tiny-run.js';
import { readMetrics } from './metrics/metrics-log.js';
import { run } from './run.js';
import type { RunConfigInput } from './run-config.js';

let config: TinyRun['config'];
beforeAll(async () => {
  ({ config } = await tinyRun());
});

const objectives: RunConfigInput['objective'][] = [
  { kind: 'stage1' },
  { kind: 'gate' },
  { kind: 'uniform-ce' },
  { kind: 'hard-token-ce' },
  { kind: 'looprpt', rolloutCount: 2 },
  { kind: 'looprpt', rolloutCount: 2, rollouts: 'full', policyGradient: 'backbone' },
  { kind: 'looprpt', policy: 'closed', advantage: 'batch' },
];

describe('a run that is interrupted and resumed', () => {
  it.each(objectives)('ends as the uninterrupted one: %o', async (objective) => {
    const { path } = temporaryFolder();
    const [whole, parted] = [join(path, 'whole'), join(path, 'parted')];
    await run(config(whole, { objective }), false);
    const controller = new AbortController();
    const first = await run(config(parted, { objective }), false, {
      signal: controller.signal,
      onStep: ({ step }) => step === 3 && controller.abort(),
    });
    expect(first).toMatchObject({ interrupted: true, step: 3 });
    expect(await run(config(parted, { objective }), true)).toMatchObject({ interrupted: false, step: 6 });
    expectSameEnd(whole, parted);
  });

  it('in half precision, with float32 masters and teacher average', async () => {
    const { path } = temporaryFolder();
    const [whole, parted] = [join(path, 'whole'), join(path, 'parted')];
    const half = { dtype: 'bfloat16' as const };
    await run(config(whole, half), false);
    const controller = new AbortController();
    const hooks = {
      signal: controller.signal,
      onStep: ({ step }: { step: number }) => step === 3 && controller.abort(),
    };
    await run(config(parted, half), false, hooks);
    await run(config(parted, half), true);
    expectSameEnd(whole, parted);
  });

  it('without a teacher beside the student', async () => {
    const { path } = temporaryFolder();
    const [whole, parted] = [join(path, 'whole'), join(path, 'parted')];
    const alone = { objective: { kind: 'looprpt', policy: 'closed', zeta: 0.5 }, teacherDecay: 0 } as const;
    await run(config(whole, alone), false);
    const controller = new AbortController();
    const onStep = ({ step }: { step: number }) => step === 3 && controller.abort();
    await run(config(parted, alone), false, { signal: controller.signal, onStep });
    await run(config(parted, alone), true);
    expectSameEnd(whole, parted);
  });

  it('that has ended is made longer on request alone, and then is one that was longer from there on', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    const constant = { schedule: { kind: 'constant', warmupSteps: 0 } } as const;
    await run(config(out, { ...constant, steps: 2 }), false);
    await expect(run(config(out, { ...constant, steps: 6 }), true)).rejects.toThrow(
      'the run there is of 2 steps, not 6; --resume alone goes on to them, --resume --extend N to more',
    );
    await expect(run(config(out, { ...constant, steps: 2 }), 'longer')).rejects.toThrow('is of 2 steps already');
    expect((await run(config(out, { ...constant, steps: 6 }), 'longer')).step).toBe(6);
    const whole = join(path, 'whole');
    await run(config(whole, { ...constant, steps: 6 }), false);
    expectSameEnd(whole, out);
  });

  it('refuses another configuration, a second start, and names what differs', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    await run(config(out, { steps: 1 }), false);
    await expect(run(config(out, { steps: 1 }), false)).rejects.toThrow('holds a run already');
    await expect(run(config(out, { steps: 2, seed: 6 }), true)).rejects.toThrow(
      'the run there is another one (seed: 5 there, 6 here; steps: 1 there, 2 here); resume with the same configuration, or',
    );
  });
});

describe('damaged checkpoints', () => {
  it.each(['model.safetensors', 'trainer.safetensors', 'trainer.json', 'checksums.json', 'config.json'])(
    'one flipped byte of %s: the older one is taken, nothing is deleted, the end is the same',
    async (name) => {
      const { path } = temporaryFolder();
      const [whole, hurt] = [join(path, 'whole'), join(path, 'hurt')];
      await run(config(whole), false);
      const controller = new AbortController();
      await run(config(hurt), false, {
        signal: controller.signal,
        onStep: ({ step }) => step === 4 && controller.abort(),
      });
      const file = join(hurt, 'checkpoints/step-4', name);
      const bytes = readFileSync(file);
      bytes[Math.floor(bytes.length / 2)]! ^= 1;
      writeFileSync(file, bytes);
      const messages: string[] = [];
      await run(config(hurt, { steps: 6 }), true, { onMessage: (message) => messages.push(message) });
      expect(messages).toEqual([expect.stringContaining('step-4: damaged')]);
      expectSameEnd(whole, hurt);
    },
  );

  it('all damaged: one line that says so', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    await run(config(out, { steps: 2 }), false);
    writeFileSync(join(out, 'checkpoints/step-2/model.safetensors'), 'x');
    await expect(run(config(out, { steps: 2 }), true)).rejects.toThrow('all 1 checkpoints are damaged');
  });
});

describe('a step', () => {
  it('of two micro-batches is the step of both rows together', async () => {
    const { path } = temporaryFolder();
    const objective = { kind: 'stage1' } as const;
    const together = join(path, 'together');
    const apart = join(path, 'apart');
    await run(config(together, { objective, steps: 2, batch: { ...BATCH, rows: 4 } }), false);
    await run(config(apart, { objective, steps: 2, batch: { ...BATCH, rows: 2, accumulate: 2 } }), false);
    const [a, b] = [together, apart].map((out) => readMetrics(join(out, 'metrics.jsonl')).records);
    a!.forEach((record, i) => {
      expect(b![i]!.loss).toBeCloseTo(record.loss, 5);
      expect(b![i]!.gradientNorm).toBeCloseTo(record.gradientNorm, 4);
      expect(b![i]!.tokens).toBe(record.tokens);
    });
  });

  it('that is not finite is skipped and counted, and a row of them ends the run with its reason', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    const messages: string[] = [];
    const wild = config(out, {
      steps: 20,
      objective: { kind: 'uniform-ce' },
      optimizer: { learningRate: 1e30, clipNorm: null },
      schedule: { kind: 'constant', warmupSteps: 0 },
      nonFinite: { stopAfter: 3 },
    });
    await expect(run(wild, false, { onMessage: (message) => messages.push(message) })).rejects.toThrow(
      '3 steps in a row had a loss or gradient that is not finite',
    );
    expect(messages.filter((message) => message.includes('skipped'))).toHaveLength(3);
    expect(
      readMetrics(join(out, 'metrics.jsonl'))
        .records.slice(-3)
        .every(({ skipped }) => skipped),
    ).toBe(true);
  });

  it('leaves no tensor behind, and memory stays flat over 500 of them', { timeout: 120_000 }, async () => {
    const { path } = temporaryFolder();
    await collectGarbage();
    const live = liveTensors();
    const during: number[] = [];
    const resident: number[] = [];
    await run(config(join(path, 'run'), { data: { task: TASK }, steps: 500, checkpoint: { every: 1000 } }), false, {
      onStep: () => {
        during.push(liveTensors());
        resident.push(process.memoryUsage.rss());
      },
    });
    expect(new Set(during).size).toBe(1);
    expect(liveTensors()).toBe(live);
    // From the 100th to the last step less than 24 MB more: an activation kept per step would be several times that.
    expect(resident.at(-1)! - resident[100]!).toBeLessThan(24 << 20);
  });
});
