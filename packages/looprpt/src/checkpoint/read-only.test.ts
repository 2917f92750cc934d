/** Models that are only read: mapped, made whole numbers while loading, or stored as such; all against the same numbers in float32. */
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dequantise, Generator, liveTensors, noGrad, quantise, scope, type Tensor, tensor } from '@looprpt/engine';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { parseOuroConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { loadModel } from './load-model.js';
import { isReadableInPlace, loadReadOnly } from './load-read-only.js';
import { quantisationOf } from './quantisation.js';
import type { Calibration } from './quantise/input-moments.js';
import { quantiseModel } from './quantise-model.js';
import { saveModel } from './save-model.js';
import { StoredModel } from './stored-model.js';
import { planWeights } from './weights-plan.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'looprpt-test-'));
});
afterAll(() => rmSync(root, { recursive: true }));

const IDS = [[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]];

function modelOf(overrides = {}, dtype: 'float32' | 'bfloat16' = 'bfloat16'): LoopLM {
  const config = parseOuroConfig(
    {
      model_type: 'ouro',
      vocab_size: 48,
      hidden_size: 64,
      intermediate_size: 160,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      total_ut_steps: 2,
      ...overrides,
    },
    'the test',
  );
  return LoopLM.create(config, new Generator(2), { dtype });
}

async function saved(name: string, overrides = {}, dtype: 'float32' | 'bfloat16' = 'bfloat16'): Promise<string> {
  const dir = join(root, name);
  const model = modelOf(overrides, dtype);
  await saveModel(model, dir);
  model.dispose();
  return dir;
}

/** Logits of the last loop and its gate, and what the matrices are replaced by in a float32 model of the same folder. */
function outcome(model: LoopLM): { logits: Float64Array; gates: Float64Array } {
  return noGrad(() =>
    scope(() => {
      const states = model.states({ idsBT: tensor(IDS, { dtype: 'int64' }) });
      return { logits: model.logits(states.at(-1)!).toNumbers(), gates: model.gateLogits(states.at(-1)!).toNumbers() };
    }),
  );
}

/** The folder in float32, each matrix replaced. */
function reference(dir: string, replaced: (matrix: Tensor) => Tensor): ReturnType<typeof outcome> {
  const model = loadModel(dir, { dtype: 'float32' });
  const { layers, head, embedding } = model.weights;
  scope(() =>
    noGrad(() => {
      // A tied head has numbers of its own, so it is compared by an untied folder.
      const matrices = layers.flatMap(({ qkv, out, gateUp, down }) => [qkv, out, gateUp, down]);
      for (const matrix of [...matrices, ...(head === embedding ? [] : [head])]) matrix.copy_(replaced(matrix));
    }),
  );
  const result = outcome(model);
  model.dispose();
  return result;
}

function expectNear(actual: ReturnType<typeof outcome>, expected: ReturnType<typeof outcome>): void {
  for (const key of ['logits', 'gates'] as const) {
    const size = Math.hypot(...expected[key]);
    expect(Math.hypot(...actual[key].map((value, i) => value - expected[key][i]!)) / size).toBeLessThan(0.02);
  }
}

/** In place, so that whoever still reads the mapped file would see it. */
function zeroAllButEmbedding(dir: string): void {
  using stored = new StoredModel(dir);
  const file = openSync(join(dir, 'model.safetensors'), 'r+');
  for (const { name, byteOffset, byteLength } of stored.tensors.values())
    if (name !== 'model.embed_tokens.weight') writeSync(file, new Uint8Array(byteLength), 0, byteLength, byteOffset);
  closeSync(file);
}

describe.each([
  ['untied', {}],
  ['tied', { tie_word_embeddings: true }],
])('%s', (name, overrides) => {
  test('bfloat16 stays where it lies, and says what float32 says', async () => {
    const dir = await saved(`mapped-${name}`, overrides);
    await collectGarbage();
    const before = liveTensors();
    expect(isReadableInPlace(dir)).toBe(true);
    const model = loadReadOnly(dir);
    expect([model.dtype, model.weightFormat, model.cacheDType]).toEqual(['float32', 'bfloat16', 'bfloat16']);
    expectNear(
      outcome(model),
      reference(dir, (matrix) => matrix),
    );
    model.dispose();
    expect(liveTensors()).toBe(before);
  });

  test('in large pages the bits are the same, and of the file the embedding alone is left', async () => {
    const dir = await saved(`large-${name}`, overrides);
    const stored = join(root, `large-int8-${name}`);
    await quantiseModel(dir, stored, quantisationOf('int8'));
    await collectGarbage();
    const before = liveTensors();
    for (const [folder, options] of [
      [dir, {}],
      [dir, { format: 'int4' }],
      [stored, {}],
    ] as const) {
      const [there, copied] = [loadReadOnly(folder, options), loadReadOnly(folder, { ...options, largePages: true })];
      const expected = outcome(there);
      there.dispose();
      const bytes = readFileSync(join(folder, 'model.safetensors'));
      zeroAllButEmbedding(folder);
      expect(outcome(copied)).toEqual(expected);
      writeFileSync(join(folder, 'model.safetensors'), bytes);
      copied.dispose();
    }
    expect(liveTensors()).toBe(before);
  });

  test.each(['int8', 'int4'] as const)('%s made while loading and stored are the same bits', async (format) => {
    const dir = await saved(`${name}-${format}`, overrides);
    const stored = join(root, `stored-${name}-${format}`);
    const settings = quantisationOf(format);
    await collectGarbage();
    const before = liveTensors();
    const { from, to } = await quantiseModel(dir, stored, settings);
    expect(to).toBeLessThan(from * (format === 'int8' ? 0.8 : 0.6) + (name === 'tied' ? 8192 : 0));
    const [made, read] = [loadReadOnly(dir, { format }), loadReadOnly(stored)];
    expect(read.weightFormat).toBe(`${format} in groups of 32`);
    expect(outcome(read)).toEqual(outcome(made));
    if (name === 'untied')
      expectNear(
        outcome(made),
        reference(dir, (matrix) => dequantise(quantise(matrix, settings), matrix.size(1))),
      );
    made.dispose();
    read.dispose();
    expect(liveTensors()).toBe(before);
  });
});

const TEXT: Calibration = async (use) => {
  const places = () => tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], { dtype: 'int64' });
  scope(() => use({ idsBT: tensor(IDS, { dtype: 'int64' }), tokensN: places(), countedN: places() }));
};

describe.each([
  ['untied', {}],
  ['tied', { tie_word_embeddings: true }],
])('calibrated, %s', (name, overrides) => {
  test.each(['bfloat16', 'float32'] as const)('%s weights are other codes in the same layout', async (dtype) => {
    const dir = await saved(`calibrated-${name}-${dtype}`, overrides, dtype);
    const [plain, fed, again] = ['plain', 'fed', 'again'].map((kind) => join(root, `${kind}-${name}-${dtype}`));
    const settings = quantisationOf('int4');
    await collectGarbage();
    const before = liveTensors();
    const sizes = await quantiseModel(dir, plain!, settings);
    expect(await quantiseModel(dir, fed!, settings, { calibration: TEXT })).toEqual(sizes);
    await quantiseModel(dir, again!, settings, { calibration: TEXT });
    const bytes = (folder: string) => readFileSync(join(folder, 'model.safetensors'));
    expect(bytes(fed!).equals(bytes(again!))).toBe(true);
    expect(bytes(fed!).equals(bytes(plain!))).toBe(false);
    // On the text itself it says more nearly what float32 says.
    const exact = reference(dir, (matrix) => matrix);
    const off = (folder: string): number => {
      const model = loadReadOnly(folder);
      const { logits } = outcome(model);
      model.dispose();
      return Math.hypot(...logits.map((value, i) => value - exact.logits[i]!));
    };
    expect(off(fed!)).toBeLessThan(0.8 * off(plain!));
    expect(liveTensors()).toBe(before);
  });
});

describe('a mixture', () => {
  test('has 8 bits where it says so, and the same numbers as those made while loading', async () => {
    const dir = await saved('mixed-from');
    const stored = join(root, 'mixed');
    const quantisation = quantisationOf('int4', { int8: ['qkv', 'head'] });
    await collectGarbage();
    const before = liveTensors();
    const { to } = await quantiseModel(dir, stored, quantisation);
    expect(JSON.parse(readFileSync(join(stored, 'config.json'), 'utf8')).quantization_config).toMatchObject({
      bits: 4,
      int8: ['qkv', 'head'],
    });
    const [made, read] = [loadReadOnly(dir, { quantisation }), loadReadOnly(stored)];
    expect(read.weightFormat).toBe('int4 in groups of 32, qkv, head in int8');
    expect(outcome(read)).toEqual(outcome(made));
    const settings = (matrix: Tensor) => quantisationOf(isEightBits(matrix) ? 'int8' : 'int4');
    expectNear(
      outcome(read),
      reference(dir, (matrix) => dequantise(quantise(matrix, settings(matrix)), matrix.size(1))),
    );
    const { byDType, mapped } = planWeights(stored, { way: 'read-only' });
    const vectors = byDType.float32! / 2;
    expect(mapped + vectors).toBe(to);
    for (const model of [made, read]) model.dispose();
    expect(liveTensors()).toBe(before);
  });

  test('is refused where it is none', async () => {
    const stored = join(root, 'mixed-badly');
    await quantiseModel(await saved('mixed-plain'), stored, quantisationOf('int4'));
    const path = join(stored, 'config.json');
    const text = readFileSync(path, 'utf8');
    const config = (changes: object) => {
      const json = JSON.parse(text) as { quantization_config: object };
      writeFileSync(
        path,
        JSON.stringify({ ...json, quantization_config: { ...json.quantization_config, ...changes } }),
      );
    };
    config({ int8: ['qkv'] });
    expect(() => loadReadOnly(stored)).toThrow('q_proj.weight.codes" is uint8 [64,64], config.json asks for int8');
    config({ int8: ['norms'] });
    expect(() => loadReadOnly(stored)).toThrow('quantization_config: int8');
    config({ bits: 8, int8: ['qkv'] });
    expect(() => loadReadOnly(stored)).toThrow('int8: bits are 8 already');
  });
});

/** q, k and v [128, 64] and the head [48, 64] of the test's model. */
function isEightBits({ shape }: Tensor): boolean {
  return ['128,64', '48,64'].includes(String(shape));
}

test('float32 is made bfloat16 only where that is asked for', async () => {
  const dir = await saved('float32', {}, 'float32');
  expect(isReadableInPlace(dir)).toBe(false);
  const model = loadReadOnly(dir, { format: 'bfloat16' });
  expectNear(
    outcome(model),
    reference(dir, (matrix) => matrix),
  );
  model.dispose();
});

test.runIf(process.platform === 'linux')('of an embedding nothing is in memory before a text reads it', async () => {
  const dir = await saved('tall', { vocab_size: 40_000 });
  const stored = join(root, 'tall-int4');
  for (const [folder, share] of [
    [dir, 1],
    [stored, 0],
  ] as const) {
    if (folder === stored) await quantiseModel(dir, stored, quantisationOf('int4'));
    const model = loadReadOnly(folder);
    const maps = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
    const ours = maps.filter((map) => map.split('\n', 1)[0]!.endsWith(join(folder, 'model.safetensors')));
    const resident = ours.reduce((sum, map) => sum + 1024 * Number(/^Rss:\s+(\d+)/m.exec(map)![1]), 0);
    expect(ours.length).toBeGreaterThan(0);
    // The head, as large as the embedding, is looked through where it lies if it is bfloat16.
    const embedding = 2 * 40_000 * 64;
    expect(resident).toBeLessThan((share + 0.5) * embedding);
    model.dispose();
  }
});

describe('one line where it cannot be', () => {
  test('whole numbers are not trained, not made anew, and none but ours are read', async () => {
    const dir = await saved('plain');
    const stored = join(root, 'int4');
    await quantiseModel(dir, stored, quantisationOf('int4'));
    expect(() => loadModel(stored)).toThrow('its weights are int4 in groups of 32, which are only read');
    expect(() => loadReadOnly(stored, { format: 'int8' })).toThrow('already; for int8 take the model');
    await expect(quantiseModel(stored, join(root, 'twice'), quantisationOf('int8'))).rejects.toThrow('already');
    expect(existsSync(join(root, 'twice'))).toBe(false);
    const other = join(root, 'other');
    await cp(dir, other, { recursive: true });
    const path = join(other, 'config.json');
    const json = JSON.parse(readFileSync(path, 'utf8')) as object;
    writeFileSync(path, JSON.stringify({ ...json, quantization_config: { quant_method: 'gptq', bits: 4 } }));
    expect(() => loadModel(other)).toThrow('quantization_config: quant_method');
  });

  test('parts that are missing or of another shape are named', async () => {
    const dir = await saved('whole');
    const stored = join(root, 'other-groups');
    await quantiseModel(dir, stored, quantisationOf('int4'));
    const path = join(stored, 'config.json');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('"group_size": 32', '"group_size": 64'));
    await collectGarbage();
    const before = liveTensors();
    expect(() => loadReadOnly(stored)).toThrow('q_proj.weight.scales" is float16 [64,2], config.json asks for');
    writeFileSync(path, text.replace('"zero_point": false', '"zero_point": true'));
    expect(() => loadReadOnly(stored)).toThrow('q_proj.weight.zeros" is missing');
    expect(liveTensors()).toBe(before);
  });

  test('a model that is only read has no gradients and no copy', async () => {
    const model = loadReadOnly(await saved('read'));
    expect(() => model.setRequiresGrad(true)).toThrow('no gradients');
    expect(() => model.clone()).toThrow('no copy');
    model.dispose();
  });
});
