/**
 * Gradients against central differences of the operator itself, element by element and along random directions.
 *
 * In float32 a difference has two errors: the quotient's own, which two step sizes extrapolate to O(h⁴), and the rounding of the
 * values, divided by the step. Inputs are multiples of 2⁻¹⁰ and steps powers of two, so that what is stepped to is exact. With
 * results of size 1 both stay below 5e-4; a wrong or missing term is of the gradient's own size. float64 is held to 1e-7.
 */

import { type DType, Generator, grad, op, randn, scope, type Tensor, tensor } from '@looprpt/engine';
import { expect } from 'vitest';

const GRID = 2 ** 10;
const STEP = 2 ** -5;
/** Elements of each input that are stepped alone; of more, as many spread over the tensor. */
const ELEMENTS = 90;
const DIRECTIONS = 4;

const BOUND = { float32: 5e-4, float64: 1e-7 } as const;

const random = new Generator(5);

/** Standard normal numbers on the grid. */
export function gridNormal(...shape: number[]): Tensor {
  return op('aten::round')<Tensor>(randn(shape, { generator: random }).mul(GRID)).div(GRID);
}

type Operator = (inputs: Tensor[]) => Tensor | Tensor[];

/** The functional that is differentiated: all results, each element with a weight of its own; summed in float64. */
function functional(results: Tensor | Tensor[]): Tensor {
  const terms = [results].flat().map((y, k) => {
    const weights = Float64Array.from({ length: y.numel }, (_, i) => Math.cos(1 + 2 * i + k));
    return y
      .to({ dtype: 'float64' })
      .mul(tensor(weights, { shape: y.shape }))
      .sum();
  });
  return terms.reduce((sum, term) => sum.add(term));
}

/** Directions of −1, 0 and 1: single elements first, then dense ones. */
function directionsOf(n: number): Int8Array[] {
  const every = Math.max(1, Math.floor(n / ELEMENTS));
  const single = Array.from({ length: Math.ceil(n / every) }, (_, k) => {
    const direction = new Int8Array(n);
    direction[Math.min(n - 1, k * every + (k % every))] = 1;
    return direction;
  });
  const dense = Array.from({ length: DIRECTIONS }, (_, k) =>
    Int8Array.from({ length: n }, (_, i) => ((i * 7919 + k * 104_729) % 3) - 1),
  );
  return [...single, ...dense];
}

/**
 * Compares every input's gradient with differences of the operator.
 * @param inputs on the grid, float32
 */
export function expectGradients(inputs: readonly Tensor[], operator: Operator, dtype: keyof typeof BOUND): void {
  scope(() => {
    const leaves = inputs.map((input) => leafOf(input, dtype));
    const gradients = grad([functional(operator(leaves))], leaves).map((gradient) => gradient!.toNumbers());
    inputs.forEach((input, which) => {
      const analytic = gradients[which]!;
      const size = analytic.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      for (const [k, direction] of directionsOf(input.numel).entries()) {
        const expected = analytic.reduce((sum, value, i) => sum + value * direction[i]!, 0);
        const steps = direction.reduce((sum, value) => sum + Math.abs(value), 0);
        const found = derivativeAlong(inputs, which, direction, operator, dtype);
        // The terms of a dense direction have their errors too; they add up like random numbers.
        const bound = BOUND[dtype] * size * Math.sqrt(steps);
        expect(Math.abs(found - expected), `input ${which}, direction ${k}: ${found}, not ${expected}`).toBeLessThan(
          bound,
        );
      }
    });
  });
}

function leafOf(input: Tensor, dtype: DType): Tensor {
  const leaf = input.detach().to({ dtype }).clone();
  leaf.requiresGrad = true;
  return leaf;
}

function derivativeAlong(
  inputs: readonly Tensor[],
  which: number,
  direction: Int8Array,
  operator: Operator,
  dtype: DType,
): number {
  const along = tensor(direction, { dtype: 'float32', shape: inputs[which]!.shape });
  const valueAt = (by: number): number =>
    scope(() => {
      const moved = inputs.map((input, i) => (i === which ? input.add(along.mul(by)) : input).to({ dtype }));
      return functional(operator(moved)).item();
    });
  const quotient = (h: number): number => (valueAt(h) - valueAt(-h)) / (2 * h);
  // Dense directions move every element at once, so they take smaller steps.
  const h = STEP / Math.max(1, Math.sqrt(direction.filter((d) => d !== 0).length) / 2);
  const step = dtype === 'float64' ? 2 ** -9 : 2 ** Math.round(Math.log2(h));
  return (4 * quotient(step / 2) - quotient(step)) / 3;
}
