/** What a decoder is said to take is what it takes: to the byte what stays, and as a bound what passes do, in a process of its own. */
import { claimedBytes, Generator } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { growthOf } from '../../test-support/memory-growth.js';
import { parseOuroConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { DecoderCore, decoderConfig } from './core.js';
import { planDecoder } from './decoder-memory.js';

const SHAPE = { model_type: 'ouro', hidden_size: 64, intermediate_size: 128, num_attention_heads: 4 };
const modelOf = (overrides: object, dtype: 'float32' | 'bfloat16'): LoopLM => {
  const shape = { ...SHAPE, vocab_size: 97, num_hidden_layers: 3, total_ut_steps: 3, ...overrides };
  return LoopLM.create(parseOuroConfig(shape, 'the test'), new Generator(1), { dtype });
};

describe('what stays', () => {
  test.each([
    ['float32', { num_key_value_heads: 2 }, {}],
    ['float32', {}, { reproducible: false }],
    ['float32', { tie_word_embeddings: true }, { cache: { decode: 'last' } }],
    ['bfloat16', {}, { cache: { decode: 'complete' } }],
  ] as const)('%s, %o, %o', (dtype, overrides, options) => {
    const model = modelOf(overrides, dtype);
    const { config, device } = model;
    const sizes = decoderConfig.parse({ maxSequences: 3, maxLength: 40, ...options });
    const plan = planDecoder({ config, device, dtype, isStored: false }, sizes);
    const before = claimedBytes();
    const core = new DecoderCore(model, sizes);
    const angles = 4 * sizes.maxLength * config.headDim;
    // Vectors in float32 beside matrices that are read where they lie, and the gate's row packed.
    const vectors = dtype === 'bfloat16' ? claimedBytes() - before - core.cacheBytes - angles : plan.copy;
    expect(claimedBytes() - before).toBe(core.cacheBytes + angles + vectors);
    expect(vectors).toBeLessThan(dtype === 'bfloat16' ? 20_000 : Number.POSITIVE_INFINITY);
    expect(core.cacheBytes).toBe(core.pool.pages * sizes.pageSize * plan.slot);
    expect(plan.token).toBe(sizes.cache.decode === 'last' ? plan.slot : 3 * plan.slot);
    core[Symbol.dispose]();
    model.dispose();
  });
});

const FORTY = { ...SHAPE, vocab_size: 8192, num_hidden_layers: 40, total_ut_steps: 2 };
/** Of JavaScript's heap and of code that runs for the first time. */
const SLACK = 20e6;

describe.runIf(process.platform === 'linux')('what passes take at 40 layers', () => {
  test.each([
    ['float32', { maxSequences: 4, maxLength: 160, prefillRows: 128 }, { promptLogProbs: 5 }],
    ['bfloat16', { maxSequences: 8, maxLength: 96, prefillRows: 64 }, { sampling: { temperature: 1, topP: 0.9 } }],
  ] as const)('%s, %o, %o', { timeout: 180_000 }, (dtype, sizes, request) => {
    const { grown, cache } = growthOf(`
      import { Generator } from '@looprpt/engine';
      import { parseOuroConfig } from 'dist/model/config.js';
      import { LoopLM } from 'dist/model/loop-lm.js';
      import { DecoderCore } from 'dist/decode/core.js';
      const model = LoopLM.create(parseOuroConfig(${JSON.stringify(FORTY)}, 'it'), new Generator(1), { dtype: '${dtype}' });
      const { maxSequences, maxLength, prefillRows } = ${JSON.stringify(sizes)};
      const request = ${JSON.stringify(request)};
      if (request.sampling) request.sampling = { topK: 0, minP: 0, repetitionPenalty: 1.1, frequencyPenalty: 0, presencePenalty: 0, ...request.sampling };
      const run = (core, texts, length, maxTokens) => {
        for (let seed = 0; seed < texts; seed++)
          core.add({ prompt: Array.from({ length }, (_, t) => (7 * seed + t) % 8192), maxTokens, seed, ...request });
        while (core.pass() !== null);
      };
      const small = new DecoderCore(model, { maxSequences: 1, maxLength: 32, prefillRows: 4 });
      run(small, 1, 8, 3);
      const core = new DecoderCore(model, { maxSequences, maxLength, prefillRows });
      const measured = () => run(core, maxSequences, maxLength - 8, 8);
      const told = () => ({ cache: core.cacheBytes });
    `);
    const config = parseOuroConfig(FORTY, 'the test');
    const held = { config, device: 'cpu', dtype, isStored: false };
    const plan = planDecoder(held, { ...decoderConfig.parse(sizes), scoresPrompts: 'promptLogProbs' in request });
    expect(grown).toBeLessThan(cache! + plan.pass + SLACK);
    // The bound says something: the cache is really there, and the pass is not a guess of any size.
    expect(grown).toBeGreaterThan(0.5 * cache!);
    expect(plan.pass).toBeLessThan(60e6);
  });
});
