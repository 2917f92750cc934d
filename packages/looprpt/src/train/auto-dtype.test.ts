/** `dtype: auto`: what decides it, that a run stores it, and that nothing is left of the measurement. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { configJson, tinyConfig } from '../../test-support/slow/tiny-model.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { bfloat16Instructions } from '../base/processor.js';
import { HOP_BASE } from '../checkpoint/shipped.js';
import { parseOuroConfig } from '../model/config.js';
import { chooseDType } from './auto-dtype.js';
import { train } from './train.js';

const tiny = parseOuroConfig(configJson(tinyConfig({})), 'tiny');
const wide = { ...tiny, hiddenSize: 192, headDim: 96, intermediateSize: 256 };
const question = { device: 'cpu', threads: 1 };

describe('the choice', () => {
  it('is float32 for narrow models, without a measurement', () => {
    expect(chooseDType({ ...question, model: tiny })).toEqual({
      dtype: 'float32',
      why: expect.stringContaining('below 192') as string,
      measured: false,
    });
  });

  it('is one of both for wider ones, says why, and leaves no tensor behind', async () => {
    await collectGarbage();
    const before = liveTensors();
    const { dtype, why } = chooseDType({ ...question, model: wide });
    expect(liveTensors()).toBe(before);
    expect(['float32', 'bfloat16']).toContain(dtype);
    expect(why).toMatch(/no products in bfloat16|measured \d+\.\d\d times as fast/);
  });
});

it('reads the words of the system', () => {
  const read = (flags: string) => () => `processor : 0\n${flags}\n`;
  expect(bfloat16Instructions(read('flags\t\t: fpu avx2 avx512_bf16 amx_tile amx_bf16'))).toEqual([
    'amx_bf16',
    'avx512_bf16',
  ]);
  expect(bfloat16Instructions(read('Features : fp asimd bf16'))).toEqual(['bf16']);
  expect(bfloat16Instructions(read('flags : fpu avx2'))).toEqual([]);
  expect(bfloat16Instructions(read('model : x'))).toBeNull();
  expect(
    bfloat16Instructions(() => {
      throw new Error('no such file');
    }),
  ).toBeNull();
});

it('is the default of a run, whose folder says what it became', async () => {
  const out = join(temporaryFolder().path, 'run');
  const messages: string[] = [];
  await train(
    {
      model: { from: HOP_BASE },
      data: { task: { task: 'hop', compact: true, joined: true, alphabet: 10 } },
      objective: { kind: 'stage1' },
      out,
      steps: 1,
      batch: { rows: 1, sequenceLength: 64 },
      tensorboard: false,
      dtype: 'auto',
    },
    { onMessage: (text) => messages.push(text) },
  );
  expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'))).toMatchObject({ dtype: 'float32' });
  expect(messages.join('\n')).toContain('dtype float32: hidden size 64 is below 192');
});
