/**
 * Compares analytic gradients with central differences of the slow version: every tensor along one random direction, which
 * all of its elements enter; a few single elements of every tensor; and every element of the gate.
 */
import assert from 'node:assert/strict';
import type { SlowParams } from './slow/slow-loop-lm.js';
import { random } from './slow/tiny-model.js';
import type { UpstreamGradients } from './slow-bridge.js';

export interface GradientCheck {
  /** Allowed |analytic − numeric|, relative to 1 + |numeric|. */
  tolerance: number;
  /** Single elements tried in every tensor beside the direction; of the gate all are. */
  elements?: number;
  seed?: number;
}

/**
 * d f / d step along `direction` in one tensor, from four points: the error is O(h⁴), so that h can be large and
 * rounding small; together some 1e-11 on tiny models.
 */
export function slopeAlong(
  f: (params: SlowParams) => number,
  params: SlowParams,
  name: string,
  direction: Float64Array,
  h = 1.5e-4,
): number {
  const { shape, data } = params[name]!;
  const at = (step: number): number =>
    f({ ...params, [name]: { shape, data: data.map((x, i) => x + step * direction[i]!) } });
  return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
}

/** @throws AssertionError naming the tensor whose gradient differs; a null gradient must have a slope of exactly 0 */
export function assertGradients(
  actual: UpstreamGradients,
  lossOf: (params: SlowParams) => number,
  params: SlowParams,
  { tolerance, elements = 0, seed = 1 }: GradientCheck,
): void {
  const numbers = random(seed);
  assert.deepEqual([...actual.keys()].sort(), Object.keys(params).sort());
  for (const [name, gradient] of actual) {
    const size = params[name]!.data.length;
    const tried = name.includes('early_exit_gate')
      ? Array.from({ length: size }, (_, i) => i)
      : Array.from({ length: elements }, () => numbers.below(size));
    const directions = [
      Float64Array.from({ length: size }, () => numbers.normal() / Math.sqrt(size)),
      ...tried.map((index) => Float64Array.from({ length: size }, (_, i) => (i === index ? 1 : 0))),
    ];
    directions.forEach((direction, n) => {
      const numeric = slopeAlong(lossOf, params, name, direction);
      const where = `${name}${n === 0 ? ', random direction' : `[${tried[n - 1]}]`}`;
      if (gradient === null) {
        assert.equal(numeric, 0, `${where}: no gradient, but the slope is ${numeric}`);
        return;
      }
      const analytic = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const allowed = tolerance * (1 + Math.abs(numeric));
      assert(Math.abs(analytic - numeric) <= allowed, `${where}: gradient ${analytic}, slope ${numeric}`);
    });
  }
}
