import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Sampling, sampleToken } from '../../generate/sampling.js';
import { random } from '../../testing/slow/tiny-model.js';
import { drawToken, weigh } from './draw.js';

const samplingArbitrary: fc.Arbitrary<Sampling> = fc.record({
  temperature: fc.constantFrom(0.3, 0.8, 1, 2.5),
  topK: fc.constantFrom(0, 0, 2, 7, 40, 5000),
  topP: fc.constantFrom(0.1234, 0.4321, 0.8765, 0.9876, 0.999999, 1),
  minP: fc.constantFrom(0, 0, 0.0001, 0.01, 0.21, 1),
  repetitionPenalty: fc.constant(1),
});

describe('drawToken', () => {
  it('chooses as the definition does', () => {
    // Sizes from a few tokens to many, flat and steep, with ties and with tokens that are forbidden.
    const logitsArbitrary = fc
      .record({
        V: fc.constantFrom(1, 2, 30, 700),
        spread: fc.constantFrom(0.01, 1, 4, 40),
        grid: fc.boolean(),
        forbidden: fc.nat(5),
        seed: fc.nat(),
      })
      .map(({ V, spread, grid, forbidden, seed }) => {
        const numbers = random(seed);
        const logits = Float32Array.from({ length: V }, () => {
          const logit = spread * numbers.normal();
          // Rounding gives 0 and −0, which are equal.
          return grid ? Math.round(logit) : logit;
        });
        if (V > 2) for (let i = 0; i < forbidden; i++) logits[numbers.below(V - 1)] = Number.NEGATIVE_INFINITY;
        return logits;
      });
    // Not so near the ends that tokens count whose weight is nothing in float32.
    const uniform = fc.integer({ min: 1, max: 99_991 }).map((n) => n / 99_992.5);
    fc.assert(
      fc.property(logitsArbitrary, samplingArbitrary, uniform, (logits, sampling, u) => {
        expect(drawToken(weigh(logits, sampling.temperature), sampling, u)).toBe(sampleToken(logits, sampling, [], u));
      }),
      { numRuns: 500 },
    );
  });
});
