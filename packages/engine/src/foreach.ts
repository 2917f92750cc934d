/** Operators over lists of tensors at once (libtorch's foreach family), for optimizers and moving averages. In place. */
import { type Handle, native } from './native.js';
import type { Tensor } from './tensor.js';

const id = (name: string, overload: string): number => native.resolve(`aten::_foreach_${name}`, overload);
const OP = {
  mulScalar: id('mul_', 'Scalar'),
  addList: id('add_', 'List'),
  addcmul: id('addcmul_', 'Scalar'),
} as const;

const handles = (tensors: readonly Tensor[]): Handle[] => tensors.map((tensor) => tensor.handle);

/** self ← self · value */
export function foreachMul_(self: readonly Tensor[], value: number): void {
  native.call(OP.mulScalar, handles(self), value);
}

/** self ← self + alpha · other */
export function foreachAdd_(self: readonly Tensor[], other: readonly Tensor[], alpha = 1): void {
  native.call(OP.addList, handles(self), handles(other), alpha);
}

/** self ← self + value · a · b */
export function foreachAddcmul_(
  self: readonly Tensor[],
  a: readonly Tensor[],
  b: readonly Tensor[],
  value: number,
): void {
  native.call(OP.addcmul, handles(self), handles(a), handles(b), value);
}
