/** Derivatives by central differences in float64: what every analytic gradient is compared with. */
import assert from 'node:assert/strict';
import type { SlowParams } from './slow-loop-lm.js';
import { parameter } from './slow-loop-lm.js';

/** A copy whose tensor `name` has its flat element `index` moved by `by`; the other tensors are shared. */
export function perturbed(params: SlowParams, name: string, index: number, by: number): SlowParams {
  const { shape, data } = parameter(params, name);
  assert(index >= 0 && index < data.length, `${name} has no element ${index}`);
  const moved = data.slice();
  moved[index]! += by;
  return { ...params, [name]: { shape, data: moved } };
}

/** d f / d params[name][index] (flat, row-major), error O(h²). `params` itself is not changed. */
export function finiteDifferenceGradient(
  f: (params: SlowParams) => number,
  params: SlowParams,
  name: string,
  index: number,
  h = 1e-5,
): number {
  return (f(perturbed(params, name, index, h)) - f(perturbed(params, name, index, -h))) / (2 * h);
}

/** The whole gradient of one tensor, flat and row-major. */
export function finiteDifferenceTensor(
  f: (params: SlowParams) => number,
  params: SlowParams,
  name: string,
  h = 1e-5,
): Float64Array {
  return parameter(params, name).data.map((_, index) => finiteDifferenceGradient(f, params, name, index, h));
}
