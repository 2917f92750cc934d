import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { tinyLoopLM } from '../../../test-support/eval-models.js';
import { tinyTokenizer } from '../../../test-support/tiny-tokenizer.js';
import { LoopLM } from '../../model/loop-lm.js';
import { GREEDY, samplingConfig } from '../sampling.js';
import { decode } from './decode.js';
import { GenerationSchema, generate } from './generate.js';

describe('generate', () => {
  it('gives the text of the tokens, in pieces and as a whole', async () => {
    const tokenizer = await tinyTokenizer();
    const { model } = tinyLoopLM(6, { vocabSize: tokenizer.vocabSize });
    const exit = { threshold: 0.5, maxLoops: 3 };
    const pieces: string[] = [];
    const prompt = 'the cat sat on 😀 the';
    const before = liveTensors();
    const sampling = samplingConfig.parse({ temperature: 1.2 });
    const result = await generate(model, tokenizer, {
      prompt,
      maxTokens: 30,
      exit,
      sampling,
      seed: 3,
      onText: (piece) => pieces.push(piece),
    });
    expect(liveTensors()).toBe(before);
    expect(GenerationSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
    const stopIds = tokenizer.stopIds({ chat: false, ...model.config });
    const ids = await tokenizer.encode(prompt);
    const [row] = decode(model, [{ prompt: ids, maxTokens: 30, sampling, seed: 3, stopIds }], { exit });
    expect(result).toMatchObject({ tokens: row!.tokens, loops: row!.loops, finishReason: row!.finishReason });
    expect(result.text).toBe(tokenizer.decode(row!.tokens, { skipSpecial: true }));
    expect(pieces.join('')).toBe(result.text);
    expect(pieces.length).toBeGreaterThan(3);
    expect(result.meanLoops).toBeCloseTo(row!.loops.reduce((sum, loop) => sum + loop, 0) / row!.loops.length, 12);
  });

  it('begins with the model’s first token where the prompt is empty, if it has one', async () => {
    const tokenizer = await tinyTokenizer();
    const { model } = tinyLoopLM(6, { vocabSize: tokenizer.vocabSize });
    const options = { prompt: '', maxTokens: 2, exit: { threshold: null, maxLoops: 3 }, sampling: GREEDY };
    await expect(generate(model, tokenizer, options)).rejects.toThrow(/prompt is empty/);
    const withBos = new LoopLM({ ...model.config, bosTokenId: 1 }, model.weights);
    const [row] = decode(
      model,
      [{ prompt: [1], maxTokens: 2, stopIds: tokenizer.stopIds({ chat: false, ...model.config }) }],
      options,
    );
    expect((await generate(withBos, tokenizer, options)).tokens).toEqual(row!.tokens);
  });
});
