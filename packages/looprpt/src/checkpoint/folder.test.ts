import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Generator, liveTensors, noGrad, scope } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { paramsBytes, rounded, roundedParams, writeCheckpoint } from '../../test-support/checkpoint-folder.js';
import { loadRefusal } from '../../test-support/load-refusal.js';
import { goldenFolder } from '../../test-support/slow/golden.js';
import { configJson, tinyConfig, tinyModel } from '../../test-support/slow/tiny-model.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { UserError } from '../base/user-error.js';
import { parseOuroConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { loadModel, saveModel } from './folder.js';

const DTYPES = { BF16: 'bfloat16', F16: 'float16', F32: 'float32', F64: 'float64' } as const;
type Stored = keyof typeof DTYPES;
const storedDTypes = Object.keys(DTYPES) as Stored[];

/** Bits of every stored tensor, by name. */
function bitsOf(model: LoopLM): Map<string, unknown> {
  return new Map(model.parameters().map(({ name, tensor }) => [name, tensor.toTyped()]));
}

function fresh(overrides: Parameters<typeof tinyConfig>[0], dtype: (typeof DTYPES)[Stored] = 'float32'): LoopLM {
  using generator = new Generator(7);
  const model = LoopLM.create(parseOuroConfig(configJson(tinyConfig(overrides)), 'test'), generator, { dtype });
  noGrad(() => model.weights.gateBias.fill_(0.25));
  return model;
}

describe('saving and loading', () => {
  const cases = storedDTypes.flatMap((dtype) => [1, 300].map((shardBytes) => ({ dtype, shardBytes })));
  test.each(cases)('is exact in $dtype, shards of $shardBytes bytes', async ({ dtype, shardBytes }) => {
    const dir = join(temporaryFolder().path, 'model');
    const model = fresh({ heads: 4, kvHeads: 2 }, DTYPES[dtype]);
    await saveModel(model, dir, { shardBytes });
    const files = readdirSync(dir).filter((name) => name.endsWith('.safetensors'));
    expect(files.length).toBeGreaterThan(3);
    expect(files[0]).toBe(`model-00001-of-${String(files.length).padStart(5, '0')}.safetensors`);
    const loaded = loadModel(dir);
    expect(loaded.dtype).toBe(DTYPES[dtype]);
    expect(bitsOf(loaded)).toEqual(bitsOf(model));
    expect({ ...loaded.config, extra: {} }).toEqual({ ...model.config, extra: {} });
    model.dispose();
    loaded.dispose();
  });

  test('writes one file by default, the same bytes each time, and reads back what config.json held besides', async () => {
    const folder = temporaryFolder().path;
    const golden = loadModel(goldenFolder('gqa96'));
    await saveModel(golden, join(folder, 'a'));
    const again = loadModel(join(folder, 'a'));
    await saveModel(again, join(folder, 'b'));
    expect(readdirSync(join(folder, 'a')).sort()).toEqual(['config.json', 'model.safetensors']);
    for (const name of readdirSync(join(folder, 'a')))
      expect(readFileSync(join(folder, 'b', name))).toEqual(readFileSync(join(folder, 'a', name)));
    const [before, after] = [goldenFolder('gqa96'), join(folder, 'b')].map(
      (dir) => JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as object,
    );
    // The modelling code that auto_map names is not in the golden folder.
    const { auto_map: _, ...rest } = before as { auto_map: unknown };
    expect(after).toEqual(rest);
    golden.dispose();
    again.dispose();
  });

  test('another dtype on loading and on saving rounds as the format does, and config.json follows', async () => {
    const folder = temporaryFolder().path;
    const tiny = tinyModel(3);
    writeCheckpoint(
      join(folder, 'f32'),
      { ...tiny, params: roundedParams(tiny.params, 'F32') },
      { configExtra: { dtype: 'float32' } },
    );
    const model = loadModel(join(folder, 'f32'));
    for (const stored of ['BF16', 'F16'] as const) {
      await saveModel(model, join(folder, stored), { dtype: DTYPES[stored] });
      const json = JSON.parse(readFileSync(join(folder, stored, 'config.json'), 'utf8')) as Record<string, unknown>;
      expect([json.torch_dtype, json.dtype]).toEqual([DTYPES[stored], undefined]);
      const [saved, narrowed] = [
        loadModel(join(folder, stored)),
        loadModel(join(folder, 'f32'), { dtype: DTYPES[stored] }),
      ];
      const expected = Array.from(tiny.params['model.norm.weight']!.data, (x) => rounded(Math.fround(x), stored));
      for (const one of [saved, narrowed]) expect(scope(() => one.weights.finalNorm.toArray())).toEqual(expected);
      expect(bitsOf(saved)).toEqual(bitsOf(narrowed));
      saved.dispose();
      narrowed.dispose();
    }
    model.dispose();
  });

  test('tensors of several dtypes are loaded in one that holds them all', () => {
    const dtypeOf = (...stored: ('BF16' | 'F16' | 'F32')[]): string => {
      const folder = temporaryFolder();
      const { config, params } = tinyModel(1);
      const names = Object.keys(params);
      const weightMap = Object.fromEntries(names.map((name, n) => [name, `${n % stored.length}.safetensors`]));
      stored.forEach((dtype, shard) => {
        const own = Object.fromEntries(
          names.flatMap((name, n) => (n % stored.length === shard ? [[name, params[name]!]] : [])),
        );
        folder.write(`${shard}.safetensors`, paramsBytes(roundedParams(own, dtype), dtype));
      });
      folder.write('config.json', JSON.stringify(configJson(config)));
      folder.write('model.safetensors.index.json', JSON.stringify({ weight_map: weightMap }));
      const model = loadModel(folder.path);
      const { dtype } = model;
      model.dispose();
      return dtype;
    };
    expect(dtypeOf('BF16', 'F32')).toBe('float32');
    expect(dtypeOf('F16', 'BF16')).toBe('float32');
    expect(dtypeOf('F16', 'F16')).toBe('float16');
  });

  test('a tied head is written once, and may stand in a file beside an equal embedding', async () => {
    const dir = join(temporaryFolder().path, 'model');
    const model = fresh({ tieEmbeddings: true });
    await saveModel(model, dir);
    const loaded = loadModel(dir);
    expect(loaded.weights.head).toBe(loaded.weights.embedding);
    expect(bitsOf(loaded)).toEqual(bitsOf(model));
    model.dispose();
    loaded.dispose();

    const both = tinyModel(1, { tieEmbeddings: true });
    const head = both.params['model.embed_tokens.weight']!;
    const beside = temporaryFolder().path;
    writeCheckpoint(beside, { ...both, params: { ...both.params, 'lm_head.weight': head } });
    loadModel(beside).dispose();
    const other = { ...head, data: head.data.map((value, n) => (n === 5 ? value + 1 : value)) };
    writeCheckpoint(beside, { ...both, params: { ...both.params, 'lm_head.weight': other } });
    expect(loadRefusal(beside)).toMatch(
      /tensor "lm_head.weight" differs from the embedding, but config.json has tie_word/,
    );
  });

  test('copies the tokenizer from another folder', async () => {
    const from = temporaryFolder();
    from.write('tokenizer.json', '{"a":1}');
    from.write('chat_template.jinja', 'x');
    from.write('notes.txt', 'not a part of it');
    const dir = join(temporaryFolder().path, 'deep', 'model');
    const model = fresh({});
    await saveModel(model, dir, { tokenizerFrom: from.path });
    expect(readdirSync(dir).sort()).toEqual([
      'chat_template.jinja',
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    expect(readFileSync(join(dir, 'tokenizer.json'), 'utf8')).toBe('{"a":1}');
    await expect(saveModel(model, join(dir, 'x'), { tokenizerFrom: join(dir, 'nowhere') })).rejects.toThrow(UserError);
    model.dispose();
  });

  test('never touches a folder that holds something, and leaves nothing half-written', async () => {
    const folder = temporaryFolder();
    const model = fresh({});
    folder.write('model/precious.txt', 'x');
    await expect(saveModel(model, join(folder.path, 'model'))).rejects.toThrow(UserError);
    model.weights.finalNorm.dispose();
    await expect(saveModel(model, join(folder.path, 'broken'))).rejects.toThrow();
    expect(readdirSync(folder.path)).toEqual(['model']);
    expect(readdirSync(join(folder.path, 'model'))).toEqual(['precious.txt']);
    model.dispose();
  });

  test('gradients that are asked for do not hinder saving, and no tensor stays behind', async () => {
    const folder = temporaryFolder().path;
    await collectGarbage();
    const before = liveTensors();
    const model = fresh({}).setRequiresGrad(true);
    const own = liveTensors() - before;
    await saveModel(model, join(folder, 'a'));
    expect(liveTensors()).toBe(before + own);
    const loaded = loadModel(join(folder, 'a'));
    expect(liveTensors()).toBe(before + 2 * own);
    expect(loaded.parameters().some(({ tensor }) => tensor.requiresGrad)).toBe(false);
    loaded.dispose();
    model.dispose();
    expect(liveTensors()).toBe(before);
  });
});

describe('modelling code of upstream', () => {
  const AUTO_MAP = { AutoConfig: 'configuration_ouro.OuroConfig', AutoModel: 'modeling_ouro.OuroModel' };
  const CODE = ['configuration_ouro.py', 'modeling_ouro.py'];
  const read = (dir: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as Record<string, unknown>;

  test.each([
    ['travels with the model where it is there', CODE, true],
    ['is not named where a file of it is missing', CODE.slice(1), false],
  ])('%s', async (_, files, named) => {
    const folder = temporaryFolder();
    const from = join(folder.path, 'from');
    writeCheckpoint(from, tinyModel(3), { configExtra: { auto_map: AUTO_MAP } });
    for (const file of files) writeFileSync(join(from, file), '# code');
    const model = loadModel(from);
    const to = join(folder.path, 'to');
    await saveModel(model, to, { tokenizerFrom: from });
    model.dispose();
    expect(read(to).auto_map).toEqual(named ? AUTO_MAP : undefined);
    expect(CODE.filter((file) => existsSync(join(to, file)))).toEqual(named ? CODE : []);
  });
});

describe('weights that are not finite', () => {
  const NAME = 'model.layers.1.mlp.down_proj.weight';

  /** A folder whose named tensor has a value at [2, 1]. */
  function folderWith(value: number): string {
    const dir = join(temporaryFolder().path, 'model');
    const { config, params } = tinyModel(3);
    const { shape, data } = params[NAME]!;
    writeCheckpoint(dir, {
      config,
      params: { ...params, [NAME]: { shape, data: data.with(2 * shape[1]! + 1, value) } },
    });
    return dir;
  }

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'are refused by name and place: %d',
    (value) => {
      expect(loadRefusal(folderWith(value))).toBe(
        `model.safetensors: tensor "${NAME}": the element at [2, 1] is NaN or infinite`,
      );
    },
  );

  test('nor are those that would be infinite in the dtype that is asked for', () => {
    const dir = folderWith(70_000);
    loadModel(dir, { dtype: 'bfloat16' }).dispose();
    expect(() => loadModel(dir, { dtype: 'float16' })).toThrow(
      `tensor "${NAME}": the element at [2, 1] has no place in float16: it is too large`,
    );
  });
});
