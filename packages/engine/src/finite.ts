/** Whether a tensor's elements are numbers: a check for weights as they are loaded, at the speed of memory. */
import { native } from './native.js';
import type { Tensor } from './tensor.js';

const FIRST_NONFINITE = native.resolve('looprpt::first_nonfinite', '');

/**
 * The index of the first element, in row-major order, that is NaN or infinite; null where all are finite, as elements of
 * integer and bool tensors are. On the CPU float64, float32, float16 and bfloat16 are looked at as they lie, mapped files too.
 *
 * @example
 * const at = firstNonFinite(weight);
 * if (at !== null) throw new Error(`element [${at}] is not a number`);
 */
export function firstNonFinite(tensor: Tensor): number[] | null {
  let flat = native.call(FIRST_NONFINITE, tensor.handle) as number;
  if (flat < 0) return null;
  const index = tensor.shape.map(() => 0);
  for (let dim = tensor.dim - 1; dim >= 0; dim--) {
    const size = tensor.size(dim);
    index[dim] = flat % size;
    flat = Math.floor(flat / size);
  }
  return index;
}

/** Whether no element is NaN or infinite. */
export function allFinite(tensor: Tensor): boolean {
  return (native.call(FIRST_NONFINITE, tensor.handle) as number) < 0;
}
