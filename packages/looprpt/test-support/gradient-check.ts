/**
 * Compares analytic gradients with central differences of the slow version: every element of the gate, every other
 * tensor along one random direction, which all of its elements enter, and a few single elements of it on request.
 */
import assert from 'node:assert/strict';
import type { SlowParams } from './slow/slow-loop-lm.js';
import { random } from './slow/tiny-model.js';
import type { UpstreamGradients } from './slow-bridge.js';

export interface GradientCheck {
  /** Allowed |analytic − numeric|, relative to 1 + |numeric|. */
  tolerance: number;
  /** Single elements tried in every tensor but the gate's, beside the direction. */
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

/** @throws AssertionError naming the tensor whose gradient differs; a tensor with a null gradient must not move the loss at all */
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
    const unit = (index: number): Float64Array => Float64Array.from({ length: size }, (_, i) => (i === index ? 1 : 0));
    const anywhere = Float64Array.from({ length: size }, () => numbers.normal() / Math.sqrt(size));
    if (gradient === null) {
      const { shape, data } = params[name]!;
      const moved = { ...params, [name]: { shape, data: data.map((x, i) => x + anywhere[i]!) } };
      assert.equal(lossOf(moved), lossOf(params), `${name}: no gradient, but it moves the loss`);
      continue;
    }
    const isGate = name.includes('early_exit_gate');
    const single = Array.from({ length: isGate ? size : elements }, (_, i) => (isGate ? i : numbers.below(size)));
    const tried: [where: string, Float64Array][] = single.map((i) => [`[${i}]`, unit(i)]);
    if (!isGate) tried.push([' along a random direction', anywhere]);
    for (const [where, direction] of tried) {
      const numeric = slopeAlong(lossOf, params, name, direction);
      const analytic = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const allowed = tolerance * (1 + Math.abs(numeric));
      assert(Math.abs(analytic - numeric) <= allowed, `${name}${where}: gradient ${analytic}, slope ${numeric}`);
    }
  }
}
