/** How large a cache becomes beside the weights, of a model of Ouro-1.4B's shape that nobody has to have. */
import { describe, expect, test } from 'vitest';
import { parseOuroConfig } from '../model/config.js';
import type { PlannedModel } from '../train/state/planned-model.js';
import { PROGRAM_BYTES } from '../train/state/room.js';
import { type ServeSettings, servedModelConfig } from './settings.js';
import { sizeServer } from './sizing.js';

const GB = 1e9;
const config = parseOuroConfig(
  {
    model_type: 'ouro',
    vocab_size: 49_152,
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    total_ut_steps: 4,
  },
  'the test',
);
/** A token at all four loops in bfloat16. */
const TOKEN = 4 * 2 * 24 * 16 * 128 * 2;

const mapped = {
  name: 'ouro',
  device: 'cpu',
  way: { way: 'read-only' },
  weights: { config, format: 'bfloat16', byDType: {}, mapped: 2.87 * GB, own: 0.4e6 },
} as const;
const copied = {
  name: 'ouro',
  device: 'cpu',
  way: { way: 'mapped', dtype: 'float32' },
  weights: { config, format: 'float32', byDType: {}, mapped: 5.7 * GB, own: 0 },
} as const;

const size = (
  free: number,
  settings: Partial<ServeSettings> = {},
  planned: Parameters<typeof sizeServer>[0] = mapped,
) => sizeServer(planned, servedModelConfig.parse({ model: 'ouro', ...settings }), free);

describe('a cache that nobody has asked for', () => {
  test('is as usual where memory is no question', () => {
    const { maxLength, cacheTokens, memory, isTight } = size(200 * GB);
    expect([maxLength, isTight]).toEqual([2048, false]);
    // Up to 4 GiB, in whole pages.
    expect(cacheTokens).toBe(16 * Math.ceil(Math.floor(2 ** 32 / TOKEN) / 16));
    expect([memory.token, memory.copy]).toEqual([TOKEN, 0]);
    expect(memory.cache).toBe(cacheTokens * TOKEN);
    expect(size(Number.POSITIVE_INFINITY)).toMatchObject({ maxLength, cacheTokens, isTight });
    expect(size(0, {}, { ...mapped, device: 'cuda' } as unknown as PlannedModel)).toMatchObject({
      maxLength,
      cacheTokens,
    });
  });

  test('is what fits beside mapped weights, passes and the program; then texts are shorter', () => {
    const one = size(5.6 * GB, { maxBatch: 1 });
    expect(one.maxLength).toBe(2048);
    const tight = size(4 * GB, { maxBatch: 1 });
    const left = 4 * GB - mapped.weights.own - tight.memory.pass - PROGRAM_BYTES - mapped.weights.mapped;
    expect([tight.isTight, tight.maxLength]).toEqual([true, tight.cacheTokens]);
    expect(tight.memory.cache).toBeLessThanOrEqual(left);
    // To the page, but for the table of positions, which is shorter than was reckoned with.
    expect(tight.memory.cache).toBeGreaterThan(left - 17 * TOKEN - 2048 * 128 * 4);
  });

  test('where mapped weights would want all memory a short text is served all the same', () => {
    expect(size(1.5 * GB, { maxBatch: 1 })).toMatchObject({ maxLength: 256, cacheTokens: 256, isTight: true });
  });

  test('has a copy of float32 weights beside it, unless texts need not be reproducible', () => {
    expect(size(200 * GB, {}, copied).memory.copy).toBeGreaterThan(4 * 1.3e9);
    expect(size(200 * GB, { reproducible: false }, copied).memory.copy).toBe(0);
    expect(size(8 * GB, { reproducible: false, maxBatch: 1 }, copied).maxLength).toBeGreaterThanOrEqual(256);
  });
});

describe('what cannot fit is refused by name', () => {
  test.each([
    [
      { maxLength: 4096, maxBatch: 1 },
      /^max length: a text of 4096 tokens needs 3\.22 GB of keys and values, and .* at most \d+$/,
    ],
    [
      { cacheTokens: 9000, maxBatch: 1 },
      /^cache tokens: 9000 need 7\.08 GB, and .* are left beside the weights: at most \d+$/,
    ],
    [{ cacheTokens: 64 }, /^a cache of 64 tokens cannot hold one text of 256/],
    [{ maxBatch: 1e6 }, /^ouro: needs .* of memory \(.*passes .*\), and 3\.00 GB are free: a smaller max batch$/],
  ])('%o', (settings, words) => expect(() => size(3 * GB, settings)).toThrow(words));

  test('a copy of the weights that does not fit, and what does without', () => {
    expect(() => size(3 * GB, { maxBatch: 1 }, copied)).toThrow(
      /\(copy 5\.\d+ GB, passes .*, a cache of 256 tokens .*, program .*\), and 3\.00 GB are free: products that are not reproducible, or a smaller max batch$/,
    );
  });

  test('what is asked for and fits is taken, whatever mapped weights want', () => {
    expect(size(3 * GB, { maxLength: 2048, maxBatch: 1 })).toMatchObject({ maxLength: 2048, cacheTokens: 2048 });
  });
});
