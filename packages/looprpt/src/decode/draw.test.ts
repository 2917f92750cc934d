import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logitsOf, logitsShape } from '../../test-support/logits.js';
import { type SlowSampling, sampleToken } from '../../test-support/slow/slow-sampling.js';
import { drawToken, weigh } from './draw.js';

const samplingArbitrary: fc.Arbitrary<SlowSampling> = fc.record({
  temperature: fc.constantFrom(0.3, 0.8, 1, 2.5),
  topK: fc.constantFrom(0, 0, 2, 7, 40, 5000),
  topP: fc.constantFrom(0.1234, 0.4321, 0.8765, 0.9876, 0.999999, 1),
  minP: fc.constantFrom(0, 0, 0.0001, 0.01, 0.21, 1),
  repetitionPenalty: fc.constant(1),
});

describe('drawToken', () => {
  it('chooses as the definition does', () => {
    const logitsArbitrary = fc
      .record({ V: fc.constantFrom(1, 2, 30, 700), ...logitsShape })
      .map(({ V, ...shape }) => logitsOf(V, shape));
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
