/** Logits to draw from: flat and steep, with ties, and with tokens that are forbidden. */
import fc from 'fast-check';
import { random } from './slow/tiny-model.js';

export interface LogitsShape {
  spread: number;
  /** Rounded to whole numbers, so that some are equal. */
  grid: boolean;
  /** How many of V > 2 are −∞ at most; the last never is. */
  forbidden: number;
  seed: number;
}

export const logitsShape = {
  spread: fc.constantFrom(0.01, 1, 4, 40),
  grid: fc.boolean(),
  forbidden: fc.nat(5),
  seed: fc.nat(),
};

export function logitsOf(V: number, { spread, grid, forbidden, seed }: LogitsShape): Float32Array {
  const numbers = random(seed);
  const logits = Float32Array.from({ length: V }, () => {
    const logit = spread * numbers.normal();
    // Rounding gives 0 and −0, which are equal.
    return grid ? Math.round(logit) : logit;
  });
  if (V > 2) for (let i = 0; i < forbidden; i++) logits[numbers.below(V - 1)] = Number.NEGATIVE_INFINITY;
  return logits;
}
