/**
 * Ours against the slow version: values, shapes, gradients (by central finite differences of the slow version, in
 * double precision), that no input changed, and that nothing stays allocated.
 */

import { grad, liveTensors, scope, type Tensor, tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { expect } from 'vitest';
import { count, type Plain } from './plain.js';

export interface Comparison {
  ours: (...inputs: Tensor[]) => Tensor | readonly Tensor[];
  slow: (...inputs: Plain[]) => Plain | readonly Plain[];
  /** Whether gradients are compared too, with respect to every input and through the first result. */
  gradients?: boolean;
}

export function toTensor({ shape, data }: Plain): Tensor {
  return tensor(Float64Array.from(data), { shape });
}

export function close(actual: number, expected: number, tolerance = 1e-9): boolean {
  return Object.is(actual + 0, expected + 0) || Math.abs(actual - expected) <= tolerance * (1 + Math.abs(expected));
}

export function expectPlain(actual: Tensor, expected: Plain, tolerance = 1e-9): void {
  expect(actual.shape).toEqual(expected.shape);
  const values = Array.from(actual.toNumbers());
  if (!values.every((value, i) => close(value, expected.data[i]!, tolerance))) expect(values).toEqual(expected.data);
}

/** Fixed weights, so that a loss of all elements has a different derivative for each. */
const weight = (i: number): number => Math.cos(1 + 2 * i);

function slowLoss(slow: Comparison['slow'], inputs: readonly Plain[]): number {
  const [first] = [slow(...inputs)].flat() as Plain[];
  return first!.data.reduce((total, value, i) => total + weight(i) * value, 0);
}

/** ∂ slowLoss / ∂ inputs[which], element by element. */
function differences(slow: Comparison['slow'], inputs: readonly Plain[], which: number): number[] {
  const step = 1e-6;
  const input = inputs[which]!;
  return input.data.map((value, i) => {
    const shifted = (by: number) => inputs.with(which, { ...input, data: input.data.with(i, value + by) });
    return (slowLoss(slow, shifted(step)) - slowLoss(slow, shifted(-step))) / (2 * step);
  });
}

function compareGradients({ ours, slow }: Comparison, inputs: readonly Plain[]): void {
  const leaves = inputs.map((input) => {
    const leaf = toTensor(input);
    leaf.requiresGrad = true;
    return leaf;
  });
  const [first] = [ours(...leaves)].flat() as Tensor[];
  const weights = Float64Array.from({ length: count(first!.shape) }, (_, i) => weight(i));
  const loss = first!.mul(tensor(weights, { shape: first!.shape })).sum();
  grad([loss], leaves).forEach((gradient, which) => {
    const expected = differences(slow, inputs, which);
    expectPlain(gradient!, { shape: inputs[which]!.shape, data: expected }, 1e-6);
  });
}

export function compare(inputs: readonly Plain[], comparison: Comparison): void {
  const before = liveTensors();
  scope(() => {
    const tensors = inputs.map(toTensor);
    const actual = [comparison.ours(...tensors)].flat() as Tensor[];
    const expected = [comparison.slow(...inputs)].flat() as Plain[];
    expect(actual.length).toBe(expected.length);
    actual.forEach((result, i) => {
      expectPlain(result, expected[i]!);
    });
    tensors.forEach((input, i) => {
      expect(Array.from(input.toNumbers())).toEqual(inputs[i]!.data);
    });
    if (comparison.gradients) compareGradients(comparison, inputs);
  });
  expect(liveTensors()).toBe(before);
}

/** Runs a check on some random examples. */
export function forAll<T>(examples: fc.Arbitrary<T>, check: (example: T) => void): void {
  fc.assert(
    fc.property(examples, (example) => {
      check(example);
    }),
    { numRuns: 15 },
  );
}
