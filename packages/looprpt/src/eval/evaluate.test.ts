import { describe, expect, it } from 'vitest';
import { goldenCase, tinyLoopLM } from '../../test-support/eval-models.js';
import { parameterCount } from '../model/config.js';
import { flopsPerToken } from '../model/flops.js';
import { difficultyOf } from './buckets.js';
import { evaluate } from './evaluate.js';
import { type Breakdown, EvalResultSchema } from './result.js';
import { tableFromModel } from './table-from-model.js';

describe('evaluate', () => {
  it('assembles a result that its schema accepts and whose buckets add up to the whole', async () => {
    const { model, golden } = goldenCase('tiny64');
    const ids = Int32Array.from(golden.input_ids.flat());
    const table = await tableFromModel(model, [
      {
        B: 2,
        S: 17,
        inputIds: ids,
        targetIds: ids.map((_, at) => ids[at + 1] ?? 0),
        segmentIds: new Int32Array(34),
        documentIds: new Int32Array(34),
        positionIds: Int32Array.from({ length: 34 }, (_, at) => at % 17),
        tokens: 34,
        lossTokens: 32,
        lossMask: new Uint8Array(34).map((_, at) => (at % 17 === 16 ? 0 : 1)),
      },
    ]);
    const reference = { name: 'base', entropy: difficultyOf(table) };
    const result = evaluate(table, {
      model: 'm',
      data: 'd',
      config: model.config,
      reference,
      taus: [0.5, 1],
      seconds: 2,
    });
    expect(EvalResultSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
    expect(result).toMatchObject({ model: 'm', data: 'd', tokens: 32, loops: 4, reference: 'base', seconds: 2 });
    expect(result.peak).toEqual({
      accuracy: result.perLoop[3]!.accuracy,
      crossEntropy: result.perLoop[3]!.crossEntropy,
    });
    expect(result.adaptive.map(({ tau }) => tau)).toEqual([0.5, 1]);

    const parts = Object.values(result.buckets);
    expect(parts.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(32);
    const weighted = (pick: (part: Breakdown) => number) =>
      parts.reduce((sum, part) => sum + part.tokens * pick(part), 0) / 32;
    for (let k = 0; k < 4; k++)
      expect(weighted((part) => part.perLoop[k]!.crossEntropy)).toBeCloseTo(result.perLoop[k]!.crossEntropy, 9);
    expect(weighted((part) => part.adaptive[0]!.meanLoops)).toBeCloseTo(result.adaptive[0]!.meanLoops, 9);

    const whole = evaluate(table, { model: 'm', data: 'd', config: model.config, reference, thresholds: [-1, 1e9] });
    expect(whole.buckets.easy).toMatchObject({ tokens: 0, perLoop: [], peak: { accuracy: 0 } });
    expect(whole.buckets.medium.tokens).toBe(32);
    model.dispose();
  });
});

describe('flopsPerToken', () => {
  it('counts two per weight that is in a product, and attention by the keys in reach', () => {
    const { model } = tinyLoopLM(1);
    const { config } = model;
    const norms = 4 * config.layers * config.hiddenSize + config.hiddenSize;
    const embeddingAndBias = config.vocabSize * config.hiddenSize + 1;
    const inProducts = parameterCount(config) - norms - embeddingAndBias;
    const { perLoop, head } = flopsPerToken(config, 0);
    expect(perLoop + head).toBe(2 * inProducts);
    // Per key and head: a product of D with the key, D with the value.
    const perKey = (flopsPerToken(config, 7).perLoop - perLoop) / 7;
    expect(perKey).toBe(config.layers * config.heads * (2 * config.headDim + 2 * config.headDim));
    const windowed = { ...config, windows: [3, null] };
    const mean = (at: number) => flopsPerToken(windowed, at).perLoop;
    expect(flopsPerToken(windowed, [2, 5, 9]).perLoop).toBeCloseTo((mean(2) + mean(5) + mean(9)) / 3, 6);
    expect(mean(9) - mean(5)).toBe((4 * perKey) / config.layers);
  });
});
