/** The writer's thread: what is written is what was there when it was asked, one at a time, and refusals come out. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Generator, noGrad, type Tensor, tensor } from '@looprpt/engine';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { SafetensorsFile } from '../../checkpoint/safetensors/read.js';
import { parseOuroConfig } from '../../model/config.js';
import { LoopLM } from '../../model/loop-lm.js';
import { firstNotFinite } from './finite.js';
import { damageOf } from './folder.js';
import type { RetentionPolicy } from './retention.js';
import type { CheckpointContent } from './snapshot.js';
import { type CheckpointTiming, CheckpointWriter, type WriterOptions } from './writer.js';

const retention: RetentionPolicy = { every: 1, keep: 10, keepEvery: null, keepBest: null };

function content(tensors: Record<string, Tensor>, step = 1): CheckpointContent {
  const shape = { vocab_size: 64, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1 };
  const config = parseOuroConfig({ model_type: 'ouro', ...shape, num_attention_heads: 2, total_ut_steps: 2 }, 'test');
  const model = LoopLM.create(config, new Generator(1, 'cpu'));
  onTestFinished(() => model.dispose());
  return { state: { step }, model, tensors: new Map(Object.entries(tensors)) };
}

function open(runFolder: string, options: Partial<WriterOptions> = {}): CheckpointWriter {
  const writer = new CheckpointWriter({ runFolder, retention, companions: [], syncFirst: [], ...options });
  onTestFinished(() => writer[Symbol.asyncDispose]());
  return writer;
}

function stored(checkpoint: string, name: string): number[] {
  using file = new SafetensorsFile(join(checkpoint, 'trainer.safetensors'));
  using loaded = file.load(file.tensors.find((entry) => entry.name === name)!).clone();
  return loaded.toArray() as number[];
}

describe('a checkpoint in the background', () => {
  it('holds the values of the moment it was asked for, through many in a row', async () => {
    const { path } = temporaryFolder();
    const timings: CheckpointTiming[] = [];
    const writer = open(path, { onWritten: (timing) => timings.push(timing) });
    using a = tensor([1, 2, 3]);
    using b = tensor([[0.5], [0.25]], { dtype: 'bfloat16' });
    const whole = content({ a, b });
    const paths: string[] = [];
    for (let step = 1; step <= 5; step++) {
      paths.push(await writer.save({ ...whole, state: { step } }));
      noGrad(() => a.mul_(2));
    }
    await writer.idle();
    for (const [i, checkpoint] of paths.entries()) {
      expect(await damageOf(checkpoint)).toBeNull();
      expect(stored(checkpoint, 'a')).toEqual([1, 2, 3].map((value) => value * 2 ** i));
      expect(stored(checkpoint, 'b')).toEqual([[0.5], [0.25]]);
    }
    expect(timings.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
    expect(timings[0]!.bytes).toBeGreaterThan(4 * 64 * 16);
  });

  it('that the disk refuses fails the next call and every one after it, and leaves nothing half-written', async () => {
    const { path, write } = temporaryFolder();
    const writer = open(path);
    using a = tensor([1]);
    const good = await writer.save(content({ a }));
    await writer.idle();
    write('synced', '');
    const refused = open(path, { syncFirst: [join(path, 'synced')] });
    // A name that no folder can have stands for a disk that refuses: it fails after files have been written.
    const nameless = open(path, { companions: [{ name: 'no/such/folder', pieces: [Buffer.from('x')] }] });
    await refused.save(content({ a }, 2));
    await refused.idle();
    await nameless.save(content({ a }, 3));
    await expect(nameless.idle()).rejects.toThrow(
      /step-3: the checkpoint of step 3 \(the newest there is .*step-2\) could not be written: .* go on with --resume/,
    );
    await expect(nameless.save(content({ a }, 4))).rejects.toThrow('step-3');
    expect(() => nameless.check()).toThrow('step-3');
    expect(readdirSync(join(path, 'checkpoints')).sort()).toEqual(['step-1', 'step-2']);
    expect(await damageOf(good)).toBeNull();
  });

  it('where a damaged one lies keeps that one under another name', async () => {
    const { path } = temporaryFolder();
    const writer = open(path);
    using a = tensor([1]);
    const checkpoint = await writer.save(content({ a }));
    await writer.idle();
    for (const number of [1, 2]) {
      writeFileSync(join(checkpoint, 'trainer.json'), `damage ${number}`);
      await writer.save(content({ a }));
      await writer.idle();
      expect(await damageOf(checkpoint)).toBeNull();
      expect(existsSync(`${checkpoint}.damaged-${number}`)).toBe(true);
    }
  });

  it('asks the owner first', async () => {
    const { path } = temporaryFolder();
    const writer = open(path, {
      assertOwner: () => {
        throw new Error('not ours');
      },
    });
    using a = tensor([1]);
    await expect(writer.save(content({ a }))).rejects.toThrow('not ours');
    expect(readdirSync(path)).toEqual([]);
  });
});

describe('finite', () => {
  it.each(['float32', 'float64', 'bfloat16', 'float16'] as const)('finds NaN and both infinities in %s', (dtype) => {
    using good = tensor([[1, -2, 3]], { dtype });
    using empty = tensor([], { dtype, shape: [0] });
    expect(firstNotFinite([])).toBeNull();
    for (const poison of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      // Past the first vector of a loop over vectors.
      const values = Array.from({ length: 77 }, (_, i) => (i === 70 ? poison : i));
      using bad = tensor(values, { dtype });
      expect(
        firstNotFinite([
          ['good', good],
          ['empty', empty],
          ['bad', bad],
        ]),
      ).toBe('bad');
      expect(
        firstNotFinite([
          ['good', good],
          ['empty', empty],
        ]),
      ).toBeNull();
    }
  });
});
