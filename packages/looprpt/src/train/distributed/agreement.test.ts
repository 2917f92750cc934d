import { scope, type Tensor, tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fingerprints } from './agreement.js';

const printOf = (weights: Tensor): string =>
  fingerprints([{ name: 'w', tensor: weights, isGate: false, decays: true }])[0]!;

test.each(['float32', 'float64', 'bfloat16'] as const)('one flipped bit of %s weights shows', (dtype) => {
  const values = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(values, fc.nat(), fc.nat(), (numbers, at, bit) => {
      scope(() => {
        const weights = tensor(numbers, { dtype });
        const before = printOf(weights);
        expect(printOf(weights.clone())).toBe(before);
        const { buffer, byteOffset, byteLength } = weights.viewTyped();
        const bytes = new Uint8Array(buffer, byteOffset, byteLength);
        bytes[at % byteLength]! ^= 1 << (bit % 8);
        expect(printOf(weights)).not.toBe(before);
      });
    }),
  );
});
