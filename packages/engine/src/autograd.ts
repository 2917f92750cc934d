/** Gradients: accumulated on leaves, or as values. The modes in which none are recorded are in grad-mode.ts. */

import { type Handle, native } from './native.js';
import { assertNothingRecomputed, backwardThroughParts } from './recompute.js';
import { Tensor } from './tensor.js';

interface GraphOptions {
  retainGraph?: boolean;
  createGraph?: boolean;
}

/** Accumulates d(loss)/d(leaf) on every leaf that requires a gradient. `loss` has one element, or comes with its gradient. */
export function backward(
  loss: Tensor,
  gradient?: Tensor,
  { retainGraph = false, createGraph = false }: GraphOptions = {},
): void {
  if (createGraph) assertNothingRecomputed('createGraph');
  native.backward([loss.handle], gradient ? [gradient.handle] : [], retainGraph || createGraph, createGraph);
  backwardThroughParts(retainGraph);
}

/** d(Σ outputs)/d(input) for each input, as values; null where an input plays no part. Leaves' `grad` stays as it is. */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: GraphOptions & { gradients?: readonly Tensor[] } = {},
): (Tensor | null)[] {
  const { gradients = [], retainGraph = false, createGraph = false } = options;
  assertNothingRecomputed('grad()');
  const handles = (tensors: readonly Tensor[]): Handle[] => tensors.map((tensor) => tensor.handle);
  const result = native.grad(
    handles(outputs),
    handles(inputs),
    handles(gradients),
    retainGraph || createGraph,
    createGraph,
    true,
  );
  return result.map((handle) => (handle === null ? null : new Tensor(handle)));
}
