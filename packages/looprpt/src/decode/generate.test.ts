import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { tinyLoopLM } from '../../test-support/eval-models.js';
import { decode } from '../../test-support/plain-decode.js';
import { tinyTokenizer } from '../../test-support/tiny-tokenizer.js';
import type { ExitRule } from '../model/exit-rule.js';
import { LoopLM } from '../model/loop-lm.js';
import { generatedTextSchema, generateText } from './generate.js';
import type { GeneratedToken } from './generation.js';
import { samplingConfig } from './sampling.js';

describe('generateText', () => {
  it('gives the text of the tokens that plain decoding makes, token by token and as a whole', async () => {
    const tokenizer = await tinyTokenizer();
    const { model } = tinyLoopLM(6, { vocabSize: tokenizer.vocabSize });
    const exit: ExitRule = { rule: 'gate', threshold: 0.5 };
    const told: GeneratedToken[] = [];
    const prompt = 'the cat sat on 😀 the';
    await collectGarbage();
    const before = liveTensors();
    const sampling = samplingConfig.parse({ temperature: 1.2 });
    const result = await generateText(
      { lm: model, tokenizer },
      {
        ...{ prompt, maxTokens: 30, exit, sampling, seed: 3 },
        onToken: (token) => told.push({ ...token }),
      },
    );
    expect(liveTensors()).toBe(before);
    expect(generatedTextSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
    const stopIds = tokenizer.stopIds({ chat: false, ...model.config });
    const ids = await tokenizer.encode(prompt);
    const [row] = decode(model, [{ prompt: ids, maxTokens: 30, sampling, seed: 3, stopIds }], { exit });
    expect(result).toMatchObject({ tokens: row!.tokens, loops: row!.loops, finishReason: row!.finishReason });
    expect(new Set(row!.loops).size).toBeGreaterThan(1);
    expect(result.text).toBe(tokenizer.decode(row!.tokens, { skipSpecial: true }));
    expect(told.map(({ text }) => text).join('')).toBe(result.text);
    expect(told.filter(({ text }) => text !== '').length).toBeGreaterThan(3);
    expect(told.map(({ id }) => id)).toEqual(row!.tokens);
    told.forEach(({ logProb }, n) => {
      expect(logProb).toBeCloseTo(row!.logProbs[n]!, 4);
    });
    expect(result.meanLoops).toBeCloseTo(row!.loops.reduce((sum, loop) => sum + loop, 0) / row!.loops.length, 12);
    const perLoop = await generateText(
      { lm: model, tokenizer },
      {
        ...{ prompt, maxTokens: 30, exit, sampling, seed: 3, cache: 'per-loop' },
      },
    );
    expect(perLoop.tokens).not.toEqual(result.tokens);
  });

  it('begins with the model’s first token where the prompt is empty, if it has one', async () => {
    const tokenizer = await tinyTokenizer();
    const { model } = tinyLoopLM(6, { vocabSize: tokenizer.vocabSize });
    const exit: ExitRule = { rule: 'loops', loops: 3 };
    const options = { prompt: '', maxTokens: 2, exit };
    await expect(generateText({ lm: model, tokenizer }, options)).rejects.toThrow(/prompt is empty/);
    const withBos = new LoopLM({ ...model.config, bosTokenId: 1 }, model.weights);
    const stopIds = tokenizer.stopIds({ chat: false, ...model.config });
    const [row] = decode(model, [{ prompt: [1], maxTokens: 2, stopIds }], { exit });
    expect((await generateText({ lm: withBos, tokenizer }, options)).tokens).toEqual(row!.tokens);
  });
});
