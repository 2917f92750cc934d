import { Decoder } from 'looprpt/internal/decode/index.js';
import { describe, expect, it } from 'vitest';
import { tinyLoopLM } from '../../../../packages/looprpt/test-support/eval-models.js';
import { callersStretch, decoderStretch } from './decoding.js';

describe('a stretch of decoding', () => {
  it('counts what was made while the batch was full, and leaves the decoder at rest', async () => {
    const { model } = tinyLoopLM(4);
    using decoder = new Decoder(model, { maxLength: 40, pageSize: 4 });
    const { core } = decoder;
    const shape = { batch: 3, prompt: 5, tokens: 12, temperature: 1, staggered: false };
    const full = decoderStretch(core, model, shape, { rule: 'loops', loops: 3 });
    // Tokens 2 … 12, predicted from contexts of 6 … 16.
    expect(full).toMatchObject({ tokens: 33, meanLoops: 3, meanContext: 11 });
    expect(await callersStretch(decoder, model, shape)).toMatchObject({ tokens: 33, meanLoops: 3, meanContext: 11 });
    // One joins before each of the first three passes. The first is within its second token when the last has read its prompt, and
    // the others wait for its step.
    const staggered = decoderStretch(core, model, { ...shape, staggered: true }, { rule: 'loops', loops: 3 });
    expect(staggered).toMatchObject({ tokens: 30, meanLoops: 3 });
    const replayed = decoderStretch(core, model, shape, { rule: 'replay', loops: [1, 3] });
    // Tokens 5 … 15 of each sequence: six of three loops, five of one.
    expect(replayed.meanLoops).toBeCloseTo(23 / 11);
    expect(core.pool.free + core.prefixPages).toBe(core.pool.pages);
    model.dispose();
  });
});
