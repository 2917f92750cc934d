/**
 * What a run survives and what it refuses: a second process, a disk that refuses, weights and data that are damaged. Numbers that are
 * not finite are in non-finite.test.ts, damage to checkpoints is in run.test.ts, kills are in src/torture.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noGrad } from '@looprpt/engine';
import { beforeAll, describe, expect, it } from 'vitest';
import { measuredSteps } from '../../test-support/compare-runs.js';
import { shownSteps } from '../../test-support/event-files.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import {
  expectSameEnd,
  keptSteps,
  storedState,
  TINY_TASK,
  type TinyRun,
  tinyRun,
} from '../../test-support/tiny-run.js';
import { loadModel } from '../checkpoint/load-model.js';
import { saveModel } from '../checkpoint/save-model.js';
import { prepareShards } from '../data/shards/prepare.js';
import { documentAt } from '../data/tasks/index.js';
import { Tokenizer } from '../text/tokenizer.js';
import { run } from './run.js';
import { LOCK_FILE } from './state/run-lock.js';
import { damageOf } from './state/run-state.js';

let tiny: TinyRun;
let config: TinyRun['config'];
beforeAll(async () => {
  tiny = await tinyRun();
  config = tiny.config;
});

describe('a run folder', () => {
  it('belongs to one run at a time, and is free again after its end or its failure', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    let second: Promise<unknown> | undefined;
    await run(config(out), false, {
      onStep: ({ step }) => {
        if (step === 1) second = run(config(out), true).catch((error: Error) => error.message);
      },
    });
    expect(await second).toContain(`this run is being trained by process ${process.pid}`);
    expect(existsSync(join(out, LOCK_FILE))).toBe(false);
    await expect(
      run(config(out), true, {
        onStep: () => {
          throw new Error('never, all steps are done');
        },
      }),
    ).resolves.toMatchObject({ step: 6 });
  });
});

describe('checkpoints', () => {
  it('written in the background and not are the same', async () => {
    const { path } = temporaryFolder();
    const [behind, between] = [join(path, 'behind'), join(path, 'between')];
    const checkpoint = { every: 1, keep: 10 };
    await run(config(behind, { checkpoint: { ...checkpoint, background: true } }), false);
    await run(config(between, { checkpoint: { ...checkpoint, background: false } }), false);
    expect(keptSteps(behind)).toEqual([6, 5, 4, 3, 2, 1]);
    expectSameEnd(behind, between);
  });

  it('kept are the newest, every M-th, and the best by the mean of a metric, also of a resumed run', async () => {
    const { path } = temporaryFolder();
    const [whole, parted] = [join(path, 'whole'), join(path, 'parted')];
    const changes = {
      steps: 16,
      checkpoint: { every: 2, keep: 1, keepEvery: 3, keepBest: { metric: 'parts.policy', goal: 'max' as const } },
    };
    const metric = Object.keys((await lossParts(path)) ?? {})[0]!;
    changes.checkpoint.keepBest.metric = `parts.${metric}`;
    await run(config(whole, changes), false);
    const means = [2, 4, 6, 8, 10, 12, 14, 16].map((step) => {
      const values = measuredSteps(whole)
        .filter((record) => record.step > step - 2 && record.step <= step)
        .map(({ parts }) => parts[metric]!);
      return { step, mean: values.reduce((sum, value) => sum + value, 0) / values.length };
    });
    const best = means.reduce((a, b) => (b.mean >= a.mean ? b : a));
    expect(keptSteps(whole)).toEqual([...new Set([16, 12, 6, best.step])].sort((a, b) => b - a));
    expect(storedState(whole, best.step).score).toEqual({ metric: `parts.${metric}`, value: best.mean });

    const controller = new AbortController();
    await run(config(parted, changes), false, {
      signal: controller.signal,
      onStep: ({ step }) => step === 7 && controller.abort(),
    });
    await run(config(parted, changes), true);
    expect(keptSteps(parted)).toEqual(keptSteps(whole));
    expectSameEnd(whole, parted);
  });

  it('kept by a metric that the run does not measure are refused at the first step', async () => {
    const { path } = temporaryFolder();
    const checkpoint = { keepBest: { metric: 'parts.nothing' } };
    await expect(run(config(join(path, 'run'), { checkpoint }), false)).rejects.toThrow(
      /keepBest.metric: this run does not measure parts.nothing; it does measure loss, parts\./,
    );
  });

  async function lossParts(path: string): Promise<Record<string, number> | undefined> {
    const out = join(path, 'look');
    await run(config(out, { steps: 1 }), false);
    return measuredSteps(out)[0]?.parts;
  }

  const canLimit = spawnSync('prlimit', ['--version']).status === 0;
  it.runIf(canLimit)('that the disk refuses end the run with one line, and the run can be resumed', async () => {
    const { path } = temporaryFolder();
    const [whole, full] = [join(path, 'whole'), join(path, 'full')];
    await run(config(whole), false);
    const limit = (bytes: string): void => {
      execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`]);
    };
    const stopped = run(config(full), false, {
      onCheckpoint: ({ step }) => step === 2 && limit('6000'),
    }).finally(() => limit('unlimited'));
    await expect(stopped).rejects.toThrow(
      /step-4: the checkpoint of step 4 .*step-2\) could not be written: the file would be larger.*--resume/,
    );
    expect(readdirSync(join(full, 'checkpoints'))).toEqual(['step-2']);
    expect(await damageOf(join(full, 'checkpoints/step-2'))).toBeNull();
    expect(existsSync(join(full, LOCK_FILE))).toBe(false);
    await run(config(full), true);
    expectSameEnd(whole, full);
  });

  it('in TensorBoard, a resumed run shows each step once', async () => {
    const { path } = temporaryFolder();
    const out = join(path, 'run');
    const controller = new AbortController();
    const shown = { tensorboard: true };
    await run(config(out, shown), false, {
      signal: controller.signal,
      onStep: ({ step }) => step === 3 && controller.abort(),
    });
    await run(config(out, shown), true);
    expect(shownSteps(out).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe('what a run starts from', () => {
  it('weights with NaN are refused, and no folder is left behind', async () => {
    const { path } = temporaryFolder();
    const [from, out] = [join(path, 'model'), join(path, 'run')];
    const model = loadModel(tiny.base);
    noGrad(() => model.weights.gateWeight.fill_(Number.NaN));
    await saveModel(model, from, { tokenizerFrom: tiny.base });
    model.dispose();
    await expect(run(config(out, { model: { from } }), false)).rejects.toThrow(
      /early_exit_gate\.weight.* is NaN or infinite/,
    );
    expect(existsSync(out)).toBe(false);
  });

  it('shards with a flipped byte, or with ids that no token has, are refused by name', async () => {
    const { path } = temporaryFolder();
    const [shards, out] = [join(path, 'shards'), join(path, 'run')];
    const tokenizer = await Tokenizer.load(tiny.base);
    const documents = Array.from({ length: 20 }, (_, i) => documentAt(TINY_TASK, 0, 'train', i));
    await prepareShards({ documents, tokenizer, out: shards, source: 'hop' });
    const start = () => run(config(out, { data: { shards } }), false);
    const file = join(shards, 'shard-00000.tokens');
    const bytes = readFileSync(file);
    bytes[bytes.length - 3]! ^= 0x80;
    writeFileSync(file, bytes);
    await expect(start()).rejects.toThrow(`${file}: the checksum differs`);

    // Written so, not damaged: the checksum is that of the bad file.
    const manifest = join(shards, 'manifest.json');
    const listed = JSON.parse(readFileSync(manifest, 'utf8'));
    listed.shards[0].files.tokens.sha256 = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(manifest, JSON.stringify(listed));
    await expect(start()).rejects.toThrow(`${file}: id `);
    expect(existsSync(join(out, 'checkpoints'))).toBe(false);
  });

  it('a shard that is damaged while it is read ends the run before the model sees it', async () => {
    const { path } = temporaryFolder();
    const [shards, out] = [join(path, 'shards'), join(path, 'run')];
    const tokenizer = await Tokenizer.load(tiny.base);
    const documents = Array.from({ length: 20 }, (_, i) => documentAt(TINY_TASK, 0, 'train', i));
    await prepareShards({ documents, tokenizer, out: shards, source: 'hop' });
    const file = join(shards, 'shard-00000.tokens');
    const damaged = run(config(out, { data: { shards } }), false, {
      // In place: the mapping sees it.
      onStep: ({ step }) => step === 3 && writeFileSync(file, Buffer.alloc(statSync(file).size, 0xff), { flag: 'r+' }),
    });
    await expect(damaged).rejects.toThrow(
      `${shards}: token id 65535 (row 1, place 1 of a batch) is outside the model's vocabulary of`,
    );
    expect(keptSteps(out)).toEqual([2]);
  });
});
