import fc from 'fast-check';
import { expect, it } from 'vitest';
import { logitsOf, logitsShape } from '../../test-support/logits.js';
import { isPlainGreedy, noiseOf, penalise, sample } from '../../test-support/slow/slow-sampling.js';
import { Rng } from '../base/rng.js';
import { weigh } from './draw.js';
import { Sampler } from './sampler.js';
import { GREEDY, type Sampling, samplingConfig } from './sampling.js';

const V = 30;
const id = fc.nat(V - 1);
const samplingArbitrary: fc.Arbitrary<Sampling> = fc.record({
  temperature: fc.constantFrom(0, 0.7, 1, 2.5),
  topK: fc.constantFrom(0, 0, 1, 5, 40),
  topP: fc.constantFrom(1, 1, 0.4321, 0.9876),
  minP: fc.constantFrom(0, 0, 0.21),
  repetitionPenalty: fc.constantFrom(1, 1.3, 0.8),
  presencePenalty: fc.constantFrom(0, 0.9, -0.5),
  frequencyPenalty: fc.constantFrom(0, 0.4, -1),
});

it('adjusts, cuts and draws as the definitions say, with its own random numbers, and leaves the logits alone', () => {
  const texts = fc.record({ prompt: fc.array(id), text: fc.array(id, { maxLength: 6 }) });
  const biases = fc.array(fc.tuple(id, fc.constantFrom(-3, 2.5, Number.NEGATIVE_INFINITY)), { maxLength: 4 });
  fc.assert(
    fc.property(
      ...[fc.record(logitsShape), samplingArbitrary, texts, biases, fc.nat(99)],
      (shape, sampling, { prompt, text }, bias, seed) => {
        const logits = logitsOf(V, shape);
        const before = logits.slice();
        const logitBias = new Map(bias);
        const late = { ids: [2, 5], from: 2 };
        const sampler = new Sampler(sampling, { seed, promptTokens: prompt.length, logitBias, late });
        const ids = [...prompt];
        for (const next of text) {
          const count = (of: number): number => ids.slice(prompt.length).filter((one) => one === of).length;
          const adjusted = logits.map(
            (logit, of) => Math.fround(logit + (logitBias.get(of) ?? 0)) - penaltyOf(sampling, count(of)),
          );
          const penalised = penalise(adjusted, ids, sampling.repetitionPenalty);
          if (ids.length - prompt.length < late.from)
            for (const of of late.ids) penalised[of] = Number.NEGATIVE_INFINITY;
          const noise = noiseOf(seed, ids.length, V);
          const expected = sample(penalised, { ...sampling, repetitionPenalty: 1 }, [], noise);
          const drawn = sampler.draw(weigh(logits, sampler.temperature), ids);
          if (expected.margin > 1e-4) expect(drawn.id).toBe(expected.id);
          // The same place says the same again, whatever was asked in between.
          sampler.draw(weigh(logits, sampler.temperature), [...ids, next]);
          expect(sampler.draw(weigh(logits, sampler.temperature), ids)).toEqual(drawn);
          ids.push(next);
        }
        expect(logits).toEqual(before);
      },
    ),
    { numRuns: 300 },
  );
});

function penaltyOf({ presencePenalty, frequencyPenalty }: Sampling, count: number): number {
  return count === 0 ? 0 : presencePenalty + count * frequencyPenalty;
}

it('knows which rows need nothing but a plain draw, from the same random numbers', () => {
  fc.assert(
    fc.property(samplingArbitrary, fc.boolean(), (sampling, isBiased) => {
      const bias = isBiased ? { logitBias: new Map([[3, 1]]) } : {};
      const sampler = new Sampler(sampling, { seed: 7, promptTokens: 2, ...bias });
      const { presencePenalty, frequencyPenalty, repetitionPenalty, topK, topP, minP } = sampling;
      const isAdjusted = isBiased || presencePenalty !== 0 || frequencyPenalty !== 0 || repetitionPenalty !== 1;
      const isPlain = isPlainGreedy(sampling) || (topK === 0 && topP === 1 && minP === 0);
      expect(sampler.drawsPlainly(5)).toBe(!isAdjusted && isPlain);
      if (!sampler.drawsPlainly(5)) expect(() => sampler.plainDraw(5)).toThrow();
      else if (isPlainGreedy(sampling)) expect(sampler.plainDraw(5)).toEqual({ temperature: 0, key: [0, 0] });
      else
        expect(sampler.plainDraw(5)).toEqual({
          temperature: sampling.temperature,
          key: Rng.fromSeed(7).fold(5).key,
        });
    }),
  );
});

it('refuses settings that mean nothing', () => {
  expect(samplingConfig.parse({ temperature: 0 })).toEqual(GREEDY);
  for (const wrong of [{ temperature: -1 }, { topP: 0 }, { minP: 2 }, { topK: 1.5 }, { top_k: 3 }])
    expect(samplingConfig.safeParse(wrong).success).toBe(false);
});
