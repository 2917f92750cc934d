/** Decoding with weights as they are stored: the same bits in any company, near float32 decoding of the same weights. */
import { Generator, liveTensors, scope } from '@looprpt/engine';
import { afterEach, describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { parseOuroConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { DecoderCore } from './core.js';
import type { DecodeRequest } from './request.js';
import { samplingConfig } from './sampling.js';

const models: LoopLM[] = [];
afterEach(() => {
  for (const model of models.splice(0).reverse()) model.dispose();
});

/** Grouped heads, a window, widths that are no multiple of a vector. */
function modelOf(overrides = {}): LoopLM {
  const config = parseOuroConfig(
    {
      model_type: 'ouro',
      vocab_size: 90,
      hidden_size: 40,
      intermediate_size: 52,
      num_hidden_layers: 3,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      total_ut_steps: 3,
      initializer_range: 0.15,
      ...overrides,
    },
    'the test',
  );
  const model = LoopLM.create(config, new Generator(11), { dtype: 'bfloat16' });
  models.push(model);
  return model;
}

/** The same numbers in float32. */
function widened(of: LoopLM): LoopLM {
  const wide = LoopLM.create(of.config, new Generator(1));
  models.push(wide);
  const from = of.parameters();
  scope(() => wide.parameters().forEach(({ tensor }, i) => void tensor.copy_(from[i]!.tensor)));
  return wide;
}

interface Text {
  ids: number[];
  logProbs: number[];
}

function textsOf(core: DecoderCore, arrivals: readonly { at: number; request: DecodeRequest }[]): Text[] {
  const sequences = new Map<number, ReturnType<DecoderCore['add']>>();
  const logProbs = arrivals.map((): number[] => []);
  for (let n = 0; sequences.size < arrivals.length || core.running + core.waiting > 0; n++) {
    arrivals.forEach(({ at, request }, i) => {
      if (at === n) sequences.set(i, core.add(request));
    });
    for (const [sequence, { token }] of core.pass()?.events ?? [])
      for (const [i, one] of sequences) if (one === sequence && token) logProbs[i]!.push(token.logProb);
  }
  return arrivals.map((_, i) => ({ ids: [...sequences.get(i)!.ids], logProbs: logProbs[i]! }));
}

const request: DecodeRequest = {
  prompt: Array.from({ length: 37 }, (_, t) => (t * 17 + 5) % 90),
  maxTokens: 12,
  seed: 3,
  sampling: samplingConfig.parse({ temperature: 0.9 }),
};

const others = Array.from({ length: 14 }, (_, i) => ({
  at: i % 5,
  request: { prompt: Array.from({ length: 1 + 3 * i }, (_, t) => (i * 13 + t * 5) % 90), maxTokens: 1 + (i % 7) },
}));

describe.each([
  ['plain', {}],
  ['a sliding window', { use_sliding_window: true, sliding_window: 7, max_window_layers: 1 }],
  ['tied', { tie_word_embeddings: true }],
])('bfloat16, %s', (_, overrides) => {
  test('gives a request the same bits whatever else is in the batch, however its prompt is cut', async () => {
    const model = modelOf(overrides);
    await collectGarbage();
    const before = liveTensors();
    const run = (prefillRows: number, company: typeof others): Text => {
      using core = new DecoderCore(model, { maxLength: 64, pageSize: 4, prefillRows, maxSequences: 16 });
      return textsOf(core, [{ at: 2, request }, ...company])[0]!;
    };
    const alone = run(64, []);
    expect(alone.logProbs).toHaveLength(12);
    for (const rows of [1, 5, 19, 200]) expect(run(rows, others)).toEqual(alone);
    expect(liveTensors()).toBe(before);
  });

  test("is nearer to float32 decoding of the same weights than the library's products are", () => {
    const model = modelOf(overrides);
    const read = (of: LoopLM, reproducible = true): number[] => {
      using core = new DecoderCore(of, { maxLength: 64, pageSize: 4, reproducible });
      core.add({ ...request, promptLogProbs: 0, maxTokens: 1 });
      const read: number[] = [];
      for (let done = core.pass(); done; done = core.pass())
        for (const [, { prompt }] of done.events) read.push(...(prompt ?? []).map(({ logProb }) => logProb));
      return read;
    };
    const exact = read(widened(model));
    expect(exact).toHaveLength(36);
    const error = (of: number[]): number => of.reduce((sum, value, i) => sum + Math.abs(value - exact[i]!), 0) / 36;
    // How much such a model amplifies what is rounded, the library's arithmetic in bfloat16 says.
    const [ours, library] = [error(read(model)), error(read(model, false))];
    expect(ours).toBeGreaterThan(0);
    expect(ours).toBeLessThan(library);
    expect(library).toBeLessThan(0.1);
  });
});
