/** Gradients, and the modes in which none are recorded. */
import { type Handle, native } from './native.js';
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
  native.backward([loss.handle], gradient ? [gradient.handle] : [], retainGraph || createGraph, createGraph);
}

/** d(Σ outputs)/d(input) for each input, as values; null where an input plays no part. Leaves' `grad` stays as it is. */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: GraphOptions & { gradients?: readonly Tensor[] } = {},
): (Tensor | null)[] {
  const { gradients = [], retainGraph = false, createGraph = false } = options;
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

function withGrad<T>(on: boolean, body: () => T): T {
  const before = native.setGradEnabled(on);
  try {
    return body();
  } finally {
    native.setGradEnabled(before);
  }
}

/** Nothing inside is recorded for gradients. */
export function noGrad<T>(body: () => T): T {
  return withGrad(false, body);
}

/** Recording on again, inside `noGrad`. */
export function enableGrad<T>(body: () => T): T {
  return withGrad(true, body);
}

export function isGradEnabled(): boolean {
  return native.isGradEnabled();
}

/** Like `noGrad` and cheaper, but tensors made inside can never take part in autograd later. */
export function inference<T>(body: () => T): T {
  native.enterInference();
  try {
    return body();
  } finally {
    native.leaveInference();
  }
}
