/** A decoder that has run for long holds what it held at first: several hundred mixed requests at many layers and tiny widths. */
import { expect, test } from 'vitest';
import { growthOf } from '../../test-support/memory-growth.js';

const SHAPE = {
  model_type: 'ouro',
  vocab_size: 300,
  hidden_size: 32,
  intermediate_size: 64,
  num_attention_heads: 4,
  num_hidden_layers: 24,
  total_ut_steps: 2,
};

test.runIf(process.platform === 'linux').each([
  ['float32', 'complete'],
  ['bfloat16', 'per-loop'],
] as const)(
  '%s, cache %s: no tensor and no memory more after 300 requests than after 60',
  { timeout: 180_000 },
  (dtype, cache) => {
    const { tensors, pages, grown } = growthOf(`
    import { Generator, liveTensors } from '@looprpt/engine';
    import { parseOuroConfig } from 'dist/model/config.js';
    import { LoopLM } from 'dist/model/loop-lm.js';
    import { DecoderCore } from 'dist/decode/core.js';
    import { Rng } from 'dist/base/rng.js';
    const config = parseOuroConfig(${JSON.stringify(SHAPE)}, 'it');
    const model = LoopLM.create(config, new Generator(1), { dtype: '${dtype}' });
    const core = new DecoderCore(model, { maxSequences: 4, maxLength: 120, prefillRows: 48, cache: { decode: '${cache}' } });
    const rng = Rng.fromSeed(5);
    const below = (n) => rng.below(n);
    const cuts = { temperature: 1, topP: 0.9, topK: 20, minP: 0, repetitionPenalty: 1.1, frequencyPenalty: 0, presencePenalty: 0 };
    // Some prompts begin alike, some are long; texts are sampled, cut, scored, leave early, speculate, or are given up.
    const request = (seed) => ({
      prompt: Array.from({ length: 1 + below(seed % 5 === 0 ? 100 : 30) }, (_, t) => (seed % 3 === 0 ? t : below(300))),
      maxTokens: 1 + below(6),
      seed,
      ...(seed % 4 === 0 ? { sampling: cuts } : {}),
      ...(seed % 7 === 0 ? { promptLogProbs: 3, topLogProbs: 2 } : {}),
      ...(seed % 6 === 1 ? { exit: { rule: 'gate', threshold: 0.5 } } : seed % 6 === 2 ? { speculate: true } : {}),
    });
    const run = (from, to) => {
      for (let seed = from; seed < to; seed += 10) {
        const sequences = Array.from({ length: 10 }, (_, n) => core.add(request(seed + n)));
        core.pass();
        core.cancel(sequences[below(10)]);
        while (core.pass() !== null);
      }
      globalThis.gc();
    };
    run(0, 60);
    const before = liveTensors();
    const free = core.pool.free + core.prefixPages;
    const measured = () => run(60, 300);
    const told = () => ({ tensors: liveTensors() - before, pages: core.pool.free + core.prefixPages - free + core.keptStates });
  `);
    // What is kept between passes is one tensor of states, and the table of those that wait.
    expect(tensors).toBe(0);
    expect(pages).toBe(0);
    expect(grown).toBeLessThan(16e6);
  },
);
