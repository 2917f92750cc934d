import { afterAll, describe, expect, it } from 'vitest';
import { tinyLoopLM } from '../../test-support/eval-models.js';
import { decode } from '../../test-support/plain-decode.js';
import { tinyTokenizer } from '../../test-support/tiny-tokenizer.js';
import type { ExitRule } from '../model/exit-rule.js';
import { LoopLM } from '../model/loop-lm.js';
import { Decoder } from './decoder.js';
import type { GeneratedToken, Generation } from './generation.js';
import { samplingConfig } from './sampling.js';

const tokenizer = await tinyTokenizer();
const { model: lm } = tinyLoopLM(6, { vocabSize: tokenizer.vocabSize });
const model = { lm, tokenizer };
const stopIds = tokenizer.stopIds({ chat: false, ...lm.config });
const sampling = samplingConfig.parse({ temperature: 1.2 });
const options = { maxTokens: 24, sampling: { temperature: 1.2 } };

async function all(generation: Generation): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  for await (const token of generation) tokens.push({ ...token });
  return tokens;
}
const textOf = (tokens: readonly GeneratedToken[]): string => tokens.map(({ text }) => text).join('');
const idsOf = (tokens: readonly GeneratedToken[]): number[] => tokens.map(({ id }) => id);

/** By plain decoding, whose cache is complete. */
async function plainly(prompt: string, seed: number, exit: ExitRule) {
  const ids = await tokenizer.encode(prompt);
  return decode(lm, [{ prompt: ids, maxTokens: 24, sampling, seed, stopIds }], { exit })[0]!;
}

describe('texts by a decoder', () => {
  afterAll(() => lm.dispose());

  it('at the same time are each what plain decoding makes alone, by every way to write the exit', async () => {
    using decoder = new Decoder(model, { maxLength: 64, maxSequences: 3, cache: { decode: 'complete' } });
    const exits = [
      [{ gate: 0.5 }, { rule: 'gate', threshold: 0.5 }],
      [{ loops: 2 }, { rule: 'loops', loops: 2 }],
      [
        { 'hidden-change': 0.6, maxLoops: 2 },
        { rule: 'hidden-change', threshold: 0.6, maxLoops: 2 },
      ],
      [
        { rule: 'confidence', threshold: 0.02 },
        { rule: 'confidence', threshold: 0.02 },
      ],
    ] as const;
    const prompt = 'the cat sat on 😀 the';
    const texts = exits.map(([exit], seed) => decoder.generate(prompt, { ...options, exit, seed }));
    const made = await Promise.all(texts.map(all));
    for (const [i, tokens] of made.entries()) {
      const plain = await plainly(prompt, i, exits[i]![1]);
      expect(idsOf(tokens)).toEqual(plain.tokens);
      expect(tokens.map(({ loop }) => loop)).toEqual(plain.loops);
      expect(textOf(tokens)).toBe(tokenizer.decode(plain.tokens, { skipSpecial: true }));
      expect(texts[i]!.finish).toBe(plain.finishReason);
    }
    expect(new Set(made.map(textOf)).size).toBe(made.length);
  });

  it('take the model’s own exit rule where none is asked for', async () => {
    const own = new LoopLM({ ...lm.config, exitThreshold: 0.5 }, lm.weights);
    using decoder = new Decoder({ lm: own, tokenizer }, { maxLength: 64, cache: { decode: 'complete' } });
    const plain = await plainly('the dog', 0, { rule: 'gate', threshold: 0.5 });
    expect(new Set(plain.loops).size).toBeGreaterThan(1);
    const tokens = await all(decoder.generate('the dog', options));
    expect(tokens.map(({ id, loop }) => [id, loop])).toEqual(plain.tokens.map((id, n) => [id, plain.loops[n]]));
  });

  it('from token ids are those from their text; to ask again is to run again', async () => {
    using decoder = new Decoder(model, { maxLength: 64 });
    const generation = decoder.generate('the mat', { ...options, topLogProbs: 2 });
    expect(generation.finish).toBeNull();
    const tokens = await all(generation);
    expect(await all(generation)).toEqual(tokens);
    expect(tokens.every(({ top }) => top.length === 2)).toBe(true);
    const ids = await tokenizer.encode('the mat');
    expect(idsOf(await all(decoder.generate(ids, options)))).toEqual(idsOf(tokens));
  });

  it('end before a stop string, and no token is told before its text is certain', async () => {
    using decoder = new Decoder(model, { maxLength: 64 });
    const free = await all(decoder.generate('the log', options));
    const text = textOf(free);
    // Within a token and over two.
    for (const [from, to] of [
      [Math.floor(text.length / 2), Math.floor(text.length / 2) + 1],
      [Math.floor(text.length / 3), Math.floor(text.length / 3) + 4],
    ] as const) {
      const stop = text.slice(from, to);
      const generation = decoder.generate('the log', { ...options, stop: [stop] });
      const tokens = await all(generation);
      expect(textOf(tokens)).toBe(text.slice(0, text.indexOf(stop)));
      expect(generation.finish).toBe('stop');
      expect(idsOf(tokens)).toEqual(idsOf(free).slice(0, tokens.length));
    }
  });

  it('whose reader goes away give their pages back', async () => {
    using decoder = new Decoder(model, { maxLength: 64, prefixReuse: false });
    for await (const _ of decoder.generate('the cat', options)) break;
    expect(decoder.core.pool.free).toBe(decoder.core.pool.pages);
    expect([decoder.core.running, decoder.core.waiting]).toEqual([0, 0]);
  });

  it('are refused in one line where they cannot run', async () => {
    using decoder = new Decoder(model, { maxLength: 8 });
    await expect(all(decoder.generate('', options))).rejects.toThrow(/prompt is empty/);
    await expect(all(decoder.generate('the cat', options))).rejects.toThrow(/this decoder takes 8 at most/);
    await expect(all(decoder.generate('the', { maxTokens: 2, exit: { loops: 9 } }))).rejects.toThrow(/the model has 3/);
    using bare = new Decoder(lm, { maxLength: 8 });
    expect(() => bare.generate('the cat')).toThrow(/texts need a tokenizer/);
  });
});
