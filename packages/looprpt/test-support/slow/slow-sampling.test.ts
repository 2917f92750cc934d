import fc from 'fast-check';
import { GREEDY, samplingConfig } from 'looprpt/internal/decode/sampling.js';
import { describe, expect, it } from 'vitest';
import { candidates, isPlainGreedy, noiseOf, type SlowSampling, sampleToken } from './slow-sampling.js';

/** Few distinct values, so that ties are common. */
const logitsArbitrary = fc
  .array(fc.integer({ min: -8, max: 8 }), { minLength: 1, maxLength: 20 })
  .map((values) => Float32Array.from(values, (value) => value / 2));

const samplingArbitrary: fc.Arbitrary<SlowSampling> = fc.record({
  temperature: fc.constantFrom(0.3, 1, 2.5),
  topK: fc.integer({ min: 0, max: 22 }),
  // Not sums that such logits can make, where rounding would decide.
  topP: fc.constantFrom(0.1234, 0.4321, 0.8765, 0.9876, 1),
  minP: fc.constantFrom(0, 0.01, 0.21, 0.77, 1),
  repetitionPenalty: fc.constantFrom(1, 1.3),
});

/** By definition: a list of (id, probability), cut step by step and renormalised each time. */
function slowCandidates(logits: Float32Array, sampling: SlowSampling): { id: number; p: number }[] {
  const normalised = (list: { id: number; p: number }[]) => {
    const total = list.reduce((sum, { p }) => sum + p, 0);
    return list.map(({ id, p }) => ({ id, p: p / total }));
  };
  let list = normalised(
    Array.from(logits, (logit, id) => ({ id, p: Math.exp(logit / sampling.temperature) })).sort(
      (a, b) => b.p - a.p || a.id - b.id,
    ),
  );
  if (sampling.topK > 0) list = normalised(list.slice(0, sampling.topK));
  list = normalised(list.filter((_, i) => list.slice(0, i).reduce((sum, { p }) => sum + p, 0) < sampling.topP));
  return normalised(list.filter(({ p }) => p >= sampling.minP * list[0]!.p * (1 - 1e-12)));
}

describe('candidates', () => {
  it('are those that the definitions leave, with their probabilities', () => {
    fc.assert(
      fc.property(logitsArbitrary, samplingArbitrary, (logits, sampling) => {
        const { ids, weights } = candidates(logits, sampling);
        const slow = slowCandidates(logits, sampling);
        const cuts = sampling.topK > 0 || sampling.topP < 1 || sampling.minP > 0;
        expect(ids).toEqual(cuts ? slow.map(({ id }) => id) : [...logits.keys()]);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        ids.forEach((id, i) => {
          expect(weights[i]! / total).toBeCloseTo(slow.find((candidate) => candidate.id === id)!.p, 6);
        });
      }),
    );
  });
});

describe('sampleToken', () => {
  it('draws each candidate for its share, and nothing else', () => {
    fc.assert(
      fc.property(logitsArbitrary, samplingArbitrary, (logits, sampling) => {
        const slow = slowCandidates(logits, sampling);
        const draws = 1500;
        const counts = new Map<number, number>();
        for (let place = 0; place < draws; place++) {
          const noise = noiseOf(11, place, logits.length);
          const id = sampleToken(logits, { ...sampling, repetitionPenalty: 1 }, [], noise);
          if (sampling.topK !== 1) counts.set(id, (counts.get(id) ?? 0) + 1);
        }
        if (sampling.topK === 1) return;
        for (const { id, p } of slow) {
          const spread = Math.sqrt((p * (1 - p)) / draws);
          expect(Math.abs((counts.get(id) ?? 0) / draws - p)).toBeLessThan(6 * spread + 1 / draws);
          counts.delete(id);
        }
        expect(counts.size).toBe(0);
      }),
      { numRuns: 25 },
    );
  });

  it('is greedy at temperature 0, lowest id first, and after the penalty', () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.array(fc.nat(19)), fc.constantFrom(1, 1.7), (logits, history, penalty) => {
        const seen = history.filter((id) => id < logits.length);
        const penalised = Array.from(logits, (logit, id) => {
          if (!seen.includes(id)) return logit;
          return Math.fround(logit > 0 ? logit / penalty : logit * penalty);
        });
        const expected = penalised.indexOf(Math.max(...penalised));
        const before = logits.slice();
        expect(sampleToken(logits, { ...GREEDY, repetitionPenalty: penalty }, seen, [])).toBe(expected);
        expect(logits).toEqual(before);
      }),
    );
  });

  it('knows when the arg-max is enough', () => {
    expect(isPlainGreedy(GREEDY)).toBe(true);
    expect(isPlainGreedy(samplingConfig.parse({ topK: 1 }))).toBe(true);
    expect(isPlainGreedy(samplingConfig.parse({ temperature: 0, repetitionPenalty: 1.1 }))).toBe(false);
    expect(isPlainGreedy(samplingConfig.parse({}))).toBe(false);
  });
});
