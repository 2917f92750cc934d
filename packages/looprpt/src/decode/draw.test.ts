import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logitsOf, logitsShape } from '../../test-support/logits.js';
import { noiseOf, type SlowSampling, sample } from '../../test-support/slow/slow-sampling.js';
import { Rng } from '../base/rng.js';
import { drawToken, weigh } from './draw.js';

const samplingArbitrary: fc.Arbitrary<SlowSampling> = fc.record({
  temperature: fc.constantFrom(0.3, 0.8, 1, 2.5),
  topK: fc.constantFrom(0, 0, 2, 7, 40, 5000),
  topP: fc.constantFrom(0.1234, 0.4321, 0.8765, 0.9876, 0.999999, 1),
  minP: fc.constantFrom(0, 0, 0.0001, 0.01, 0.21, 1),
  repetitionPenalty: fc.constant(1),
});

describe('drawToken', () => {
  it('chooses as the definition does, and says by how much', () => {
    const logitsArbitrary = fc
      .record({ V: fc.constantFrom(1, 2, 30, 700), ...logitsShape })
      .map(({ V, ...shape }) => logitsOf(V, shape));
    fc.assert(
      fc.property(logitsArbitrary, samplingArbitrary, fc.nat(9999), (logits, sampling, seed) => {
        const stream = Rng.fromSeed(seed).fold(3);
        const expected = sample(logits, sampling, [], noiseOf(seed, 3, logits.length));
        const drawn = drawToken(weigh(logits, sampling.temperature), sampling, stream.key);
        // Weights are rounded to float32: what is as good as equal may be drawn either way.
        if (expected.margin > 1e-4) expect(drawn.id).toBe(expected.id);
        if (Number.isFinite(expected.margin) && expected.margin < 80)
          expect(drawn.margin).toBeCloseTo(expected.margin, 3);
      }),
      { numRuns: 500 },
    );
  });
});
