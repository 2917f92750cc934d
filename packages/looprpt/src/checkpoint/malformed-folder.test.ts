import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { paramsBytes, safetensorsBytes, writeCheckpoint } from '../../test-support/checkpoint-folder.js';
import { loadRefusal } from '../../test-support/load-refusal.js';
import type { SlowParams } from '../../test-support/slow/slow-loop-lm.js';
import { tinyModel } from '../../test-support/slow/tiny-model.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { loadModel } from './folder.js';

const tiny = tinyModel(1);
const names = Object.keys(tiny.params);

/** A good folder, for a case to spoil. */
function goodFolder(shards = 1, configExtra: Record<string, unknown> = {}): string {
  const dir = join(temporaryFolder().path, 'model');
  writeCheckpoint(dir, tiny, { shards, configExtra });
  return dir;
}

/** Spoils the parameters of a good folder. */
function withParams(change: (params: SlowParams) => SlowParams): string {
  const dir = goodFolder();
  writeFileSync(join(dir, 'model.safetensors'), paramsBytes(change(tiny.params), 'F32'));
  return dir;
}

function without<T>(entries: Record<string, T>, ...gone: string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).filter(([name]) => !gone.includes(name)));
}

/** Spoils the index of a good folder of two shards. */
function withIndex(change: (weightMap: Record<string, unknown>, dir: string) => object): string {
  const dir = goodFolder(2);
  const path = join(dir, 'model.safetensors.index.json');
  const index = JSON.parse(readFileSync(path, 'utf8')) as { weight_map: Record<string, unknown> };
  writeFileSync(path, JSON.stringify({ weight_map: change(index.weight_map, dir) }));
  return dir;
}

describe('a malformed folder is one clear line', () => {
  const cases: [string, () => string, string | RegExp][] = [
    ['that is not there', () => join(temporaryFolder().path, 'x'), ': no such folder'],
    ['that is a file', () => temporaryFolder().write('x', ''), ': not a folder; a model is a folder with config.json'],
    ['that is empty', () => temporaryFolder().path, ': no config.json in this folder, so it is not a model'],
    [
      'without weights',
      () => {
        const dir = goodFolder();
        rmSync(join(dir, 'model.safetensors'));
        return dir;
      },
      ': no model.safetensors and no model.safetensors.index.json in this folder',
    ],
    [
      'whose weights are cut short',
      () => {
        const dir = goodFolder();
        writeFileSync(join(dir, 'model.safetensors'), paramsBytes(tiny.params, 'F32').subarray(0, -4));
        return dir;
      },
      /^model\.safetensors: tensor "lm_head\.weight": truncated: it ends at data byte \d+, the file has \d+$/,
    ],
    [
      'that lacks a tensor',
      () => withParams((params) => without(params, 'model.norm.weight')),
      ': tensor "model.norm.weight" is missing',
    ],
    [
      'that lacks many tensors',
      () => withParams((params) => without(params, ...names.slice(2, 9))),
      /^: tensors "model\.layers\.0\.self_attn\.k_proj\.weight", .*, .* and 4 more are missing$/,
    ],
    [
      'with a tensor too many',
      () => withParams((params) => ({ ...params, 'model.layers.2.mlp.up_proj.weight': params[names[1]!]! })),
      ': tensor "model.layers.2.mlp.up_proj.weight" is not part of the model that config.json describes',
    ],
    [
      'with a tensor of another shape',
      () => withParams((params) => ({ ...params, 'model.norm.weight': { shape: [2, 4], data: new Float64Array(8) } })),
      'model.safetensors: tensor "model.norm.weight" has shape [2,4], config.json asks for [8]',
    ],
    [
      'with integer weights',
      () => {
        const dir = withParams((params) => without(params, 'model.norm.weight'));
        const bytes = paramsBytes({ 'model.norm.weight': { shape: [8], data: new Float64Array(8) } }, 'F32');
        const header = { 'model.norm.weight': { dtype: 'I32', shape: [8], data_offsets: [0, 32] } };
        renameSync(join(dir, 'model.safetensors'), join(dir, 'a.safetensors'));
        writeFileSync(join(dir, 'b.safetensors'), safetensorsBytes(header, bytes.subarray(-32)));
        const weightMap = Object.fromEntries(
          names.map((name) => [name, name === 'model.norm.weight' ? 'b.safetensors' : 'a.safetensors']),
        );
        writeFileSync(join(dir, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
        return dir;
      },
      'b.safetensors: tensor "model.norm.weight" has dtype int32; weights are floating-point numbers',
    ],
    [
      'with an index that is not JSON',
      () => {
        const dir = goodFolder(2);
        writeFileSync(join(dir, 'model.safetensors.index.json'), '{"weight_map"');
        return dir;
      },
      /^model\.safetensors\.index\.json: not valid JSON/,
    ],
    [
      'with an index without a map',
      () => {
        const dir = goodFolder(2);
        writeFileSync(join(dir, 'model.safetensors.index.json'), '{"metadata":{}}');
        return dir;
      },
      /^model\.safetensors\.index\.json: weight_map: Invalid input/,
    ],
    [
      'with a tensor twice in the index',
      () => {
        const dir = goodFolder(2);
        writeFileSync(join(dir, 'model.safetensors.index.json'), '{"weight_map":{"a":"x","b":"x","a":"x"}}');
        return dir;
      },
      'model.safetensors.index.json: the key "a" stands there twice',
    ],
    [
      'with a shard name that is a number',
      () => withIndex((map) => ({ ...map, [names[0]!]: 3 })),
      /^model\.safetensors\.index\.json: weight_map\.model\.embed_tokens\.weight: /,
    ],
    ...['../part-0.safetensors', '/etc/passwd', '..', 'a/../../x', '.', '', 'a\0b'].map(
      (shard): [string, () => string, RegExp] => [
        `with the shard ${JSON.stringify(shard)}`,
        () => withIndex((map) => ({ ...map, [names[0]!]: shard })),
        /^model\.safetensors\.index\.json: weight_map: shard ".*" leaves the folder$/,
      ],
    ),
    [
      'with a shard that is a link out of it',
      () =>
        withIndex((map, dir) => {
          renameSync(join(dir, 'part-1.safetensors'), join(dir, '..', 'elsewhere'));
          symlinkSync(join(dir, '..', 'elsewhere'), join(dir, 'part-1.safetensors'));
          return map;
        }),
      'model.safetensors.index.json: weight_map: shard "part-1.safetensors" is a link that leaves the folder',
    ],
    [
      'with a missing shard',
      () =>
        withIndex((map, dir) => {
          rmSync(join(dir, 'part-1.safetensors'));
          return map;
        }),
      'model.safetensors.index.json: weight_map: shard "part-1.safetensors" is missing',
    ],
    [
      'with a shard that is a folder',
      () =>
        withIndex((map, dir) => {
          rmSync(join(dir, 'part-1.safetensors'));
          mkdirSync(join(dir, 'part-1.safetensors'));
          return map;
        }),
      'model.safetensors.index.json: weight_map: shard "part-1.safetensors" is not a file',
    ],
    [
      'with a tensor in two shards',
      () =>
        withIndex((map, dir) => {
          const own = names.filter((_name, n) => n % 2 === 1 || n === 0).map((name) => [name, tiny.params[name]!]);
          writeFileSync(join(dir, 'part-1.safetensors'), paramsBytes(Object.fromEntries(own), 'F32'));
          return map;
        }),
      'part-1.safetensors: tensor "model.embed_tokens.weight" stands in part-0.safetensors too',
    ],
    [
      'whose index gives a tensor another shard',
      () => withIndex((map) => ({ ...map, [names[0]!]: 'part-1.safetensors' })),
      'model.safetensors.index.json: weight_map: tensor "model.embed_tokens.weight" should be in "part-1.safetensors", but it is in part-0.safetensors',
    ],
    [
      'whose index names a tensor that no shard has',
      () => withIndex((map) => ({ ...map, x: 'part-1.safetensors' })),
      'model.safetensors.index.json: weight_map: tensor "x" should be in "part-1.safetensors", but it is not there',
    ],
    [
      'whose index leaves out a tensor of a shard',
      () => withIndex((map) => without(map, names[0]!)),
      'part-0.safetensors: tensor "model.embed_tokens.weight" is missing in model.safetensors.index.json',
    ],
    [
      'whose config.json is not JSON',
      () => {
        const dir = goodFolder();
        writeFileSync(join(dir, 'config.json'), '{');
        return dir;
      },
      /^config\.json: not valid JSON/,
    ],
    ['of another architecture', () => goodFolder(1, { model_type: 'llama' }), /^config\.json: model_type: /],
    [
      'whose heads cannot be grouped',
      () => goodFolder(1, { num_attention_heads: 4, num_key_value_heads: 3 }),
      'config.json: num_key_value_heads: 4 query heads cannot share 3 key heads evenly',
    ],
    ['with a size of nothing', () => goodFolder(1, { hidden_size: 0 }), /^config\.json: hidden_size: /],
    [
      'with an absurd number of layers',
      () => goodFolder(1, { num_hidden_layers: 1e12 }),
      /^config\.json: num_hidden_layers: /,
    ],
    [
      'with an absurd vocabulary',
      () => goodFolder(1, { vocab_size: 2 ** 50 }),
      /tensor "model\.embed_tokens\.weight" has shape \[11,8\], config\.json asks for \[1125899906842624,8\]$/,
    ],
    [
      'with scaled rotary embeddings',
      () => goodFolder(1, { rope_scaling: { type: 'yarn' } }),
      /^config\.json: rope_scaling: /,
    ],
    [
      'with an odd head size',
      () => goodFolder(1, { head_dim: 3 }),
      'config.json: head_dim: rotary embeddings need an even size, not 3',
    ],
  ];

  test.each(cases)('one %s', (_, make, expected) => {
    const dir = make();
    const message = loadRefusal(dir);
    if (typeof expected === 'string') expect(message).toBe(expected);
    else expect(message).toMatch(expected);
  });

  test('while links within the folder, and from a snapshot of the Hub into its blobs, are fine', () => {
    const inside = goodFolder(2);
    renameSync(join(inside, 'part-1.safetensors'), join(inside, 'blob'));
    symlinkSync('blob', join(inside, 'part-1.safetensors'));
    loadModel(inside).dispose();

    const repo = temporaryFolder().path;
    const snapshot = join(repo, 'snapshots', 'abc');
    writeCheckpoint(snapshot, tiny, { shards: 2 });
    mkdirSync(join(repo, 'blobs'));
    renameSync(join(snapshot, 'part-1.safetensors'), join(repo, 'blobs', '123'));
    symlinkSync('../../blobs/123', join(snapshot, 'part-1.safetensors'));
    loadModel(snapshot).dispose();
    expect(existsSync(join(snapshot, 'part-1.safetensors'))).toBe(true);
  });
});
