/**
 * A tensor of libtorch with the operators that the system uses as typed methods. Any other operator of libtorch is
 * behind `op()` (operator.ts). Methods that end in `_` work in place and return `this`.
 *
 * Not here: what it is and its values (tensor-data.ts), who frees it (memory.ts), functions over several tensors
 * (functions.ts), gradients (autograd.ts).
 */
import type { DType } from './dtype.js';
import type { Generator } from './generator.js';
import { type Handle, native } from './native.js';
import { OP } from './operators.js';
import { TensorData } from './tensor-data.js';

type Operand = Tensor | number;

export class Tensor extends TensorData {
  // ------------------------------------------------------------------------------------------ arithmetic
  #binary(tensorOp: number, scalarOp: number, other: Operand): Tensor {
    const result =
      typeof other === 'number'
        ? native.call(scalarOp, this.handle, other)
        : native.call(tensorOp, this.handle, other.handle);
    return new Tensor(result as Handle);
  }
  #unary(operator: number): Tensor {
    return new Tensor(native.call(operator, this.handle) as Handle);
  }
  #inPlace(operator: number, ...args: (number | null)[]): this {
    native.call(operator, this.handle, ...args);
    return this;
  }

  add(other: Operand): Tensor {
    return this.#binary(OP.add, OP.addScalar, other);
  }
  sub(other: Operand): Tensor {
    return this.#binary(OP.sub, OP.subScalar, other);
  }
  /** number − this */
  rsub(other: number): Tensor {
    return new Tensor(native.call(OP.rsub, this.handle, other) as Handle);
  }
  mul(other: Operand): Tensor {
    return this.#binary(OP.mul, OP.mulScalar, other);
  }
  div(other: Operand): Tensor {
    return this.#binary(OP.div, OP.divScalar, other);
  }
  pow(exponent: number): Tensor {
    return new Tensor(native.call(OP.pow, this.handle, exponent) as Handle);
  }
  neg(): Tensor {
    return this.#unary(OP.neg);
  }
  exp(): Tensor {
    return this.#unary(OP.exp);
  }
  log(): Tensor {
    return this.#unary(OP.log);
  }
  sqrt(): Tensor {
    return this.#unary(OP.sqrt);
  }
  rsqrt(): Tensor {
    return this.#unary(OP.rsqrt);
  }
  abs(): Tensor {
    return this.#unary(OP.abs);
  }
  cos(): Tensor {
    return this.#unary(OP.cos);
  }
  sin(): Tensor {
    return this.#unary(OP.sin);
  }
  sigmoid(): Tensor {
    return this.#unary(OP.sigmoid);
  }
  logSigmoid(): Tensor {
    return this.#unary(OP.logSigmoid);
  }
  silu(): Tensor {
    return this.#unary(OP.silu);
  }
  relu(): Tensor {
    return this.#unary(OP.relu);
  }
  square(): Tensor {
    return this.#unary(OP.square);
  }
  logicalNot(): Tensor {
    return this.#unary(OP.logicalNot);
  }
  isfinite(): Tensor {
    return this.#unary(OP.isfinite);
  }
  /** Whether all elements are true (a bool scalar). */
  all(): Tensor {
    return this.#unary(OP.all);
  }
  /** Whether any element is true (a bool scalar). */
  any(): Tensor {
    return this.#unary(OP.any);
  }
  /** The same values without their history. */
  detach(): Tensor {
    return this.#unary(OP.detach);
  }
  clone(): Tensor {
    return this.#unary(OP.clone);
  }
  /** Indices of the non-zero elements, int64 [N, dim]. */
  nonzero(): Tensor {
    return this.#unary(OP.nonzero);
  }
  contiguous(): Tensor {
    return this.#unary(OP.contiguous);
  }
  eq(other: Operand): Tensor {
    return this.#binary(OP.eq, OP.eqScalar, other);
  }
  ne(other: Operand): Tensor {
    return this.#binary(OP.ne, OP.neScalar, other);
  }
  lt(other: Operand): Tensor {
    return this.#binary(OP.lt, OP.ltScalar, other);
  }
  le(other: Operand): Tensor {
    return this.#binary(OP.le, OP.leScalar, other);
  }
  gt(other: Operand): Tensor {
    return this.#binary(OP.gt, OP.gtScalar, other);
  }
  ge(other: Operand): Tensor {
    return this.#binary(OP.ge, OP.geScalar, other);
  }
  maximum(other: Tensor): Tensor {
    return new Tensor(native.call(OP.maximum, this.handle, other.handle) as Handle);
  }
  minimum(other: Tensor): Tensor {
    return new Tensor(native.call(OP.minimum, this.handle, other.handle) as Handle);
  }
  logicalAnd(other: Tensor): Tensor {
    return new Tensor(native.call(OP.logicalAnd, this.handle, other.handle) as Handle);
  }
  logicalOr(other: Tensor): Tensor {
    return new Tensor(native.call(OP.logicalOr, this.handle, other.handle) as Handle);
  }
  matmul(other: Tensor): Tensor {
    return new Tensor(native.call(OP.matmul, this.handle, other.handle) as Handle);
  }
  clamp(min: number | null, max: number | null = null): Tensor {
    return new Tensor(native.call(OP.clamp, this.handle, min, max) as Handle);
  }

  // ------------------------------------------------------------------------------------------ in place
  add_(other: Operand, alpha = 1): this {
    if (typeof other === 'number') return this.#inPlace(OP.addScalarInPlace, other, alpha);
    return this.#inPlace(OP.addInPlace, other.handle, alpha);
  }
  mul_(other: Operand): this {
    if (typeof other === 'number') return this.#inPlace(OP.mulScalarInPlace, other);
    return this.#inPlace(OP.mulInPlace, other.handle);
  }
  div_(other: Tensor): this {
    return this.#inPlace(OP.divInPlace, other.handle);
  }
  clamp_(min: number | null, max: number | null = null): this {
    return this.#inPlace(OP.clampInPlace, min, max);
  }
  copy_(source: Tensor): this {
    return this.#inPlace(OP.copyInPlace, source.handle);
  }
  fill_(value: number): this {
    return this.#inPlace(OP.fillInPlace, value);
  }
  zero_(): this {
    return this.#inPlace(OP.zeroInPlace);
  }
  normal_(mean: number, std: number, generator?: Generator): this {
    return this.#inPlace(OP.normalInPlace, mean, std, generator?.handle ?? null);
  }
  uniform_(from: number, to: number, generator?: Generator): this {
    return this.#inPlace(OP.uniformInPlace, from, to, generator?.handle ?? null);
  }
  indexCopy_(dim: number, index: Tensor, source: Tensor): this {
    return this.#inPlace(OP.indexCopyInPlace, dim, index.handle, source.handle);
  }
  scatter_(dim: number, index: Tensor, value: number): this {
    return this.#inPlace(OP.scatterInPlace, dim, index.handle, value);
  }

  // ------------------------------------------------------------------------------------------ reductions
  #reduce(wholeOp: number, dimOp: number, dim: number | readonly number[] | undefined, keepDim: boolean): Tensor {
    if (dim === undefined) return this.#unary(wholeOp);
    const dims = typeof dim === 'number' ? [dim] : dim;
    return new Tensor(native.call(dimOp, this.handle, dims, keepDim) as Handle);
  }
  sum(dim?: number | readonly number[], keepDim = false): Tensor {
    return this.#reduce(OP.sum, OP.sumDim, dim, keepDim);
  }
  mean(dim?: number | readonly number[], keepDim = false): Tensor {
    return this.#reduce(OP.mean, OP.meanDim, dim, keepDim);
  }
  /** Standard deviation along `dim`; by default of the population (divided by n). */
  std(dim: number, { unbiased = false, keepDim = false } = {}): Tensor {
    return new Tensor(native.call(OP.stdDim, this.handle, [dim], unbiased, keepDim) as Handle);
  }
  amax(dim: number, keepDim = false): Tensor {
    return new Tensor(native.call(OP.amax, this.handle, [dim], keepDim) as Handle);
  }
  argmax(dim: number, keepDim = false): Tensor {
    return new Tensor(native.call(OP.argmax, this.handle, dim, keepDim) as Handle);
  }
  /** The 2-norm of all elements. */
  norm(): Tensor {
    return new Tensor(native.call(OP.norm, this.handle, 2) as Handle);
  }
  #pair(operator: number, ...args: (number | boolean)[]): [Tensor, Tensor] {
    const [values, indices] = native.call(operator, this.handle, ...args) as [Handle, Handle];
    return [new Tensor(values), new Tensor(indices)];
  }
  /** The k largest along `dim`, largest first: [values, indices]. */
  topk(k: number, dim = -1): [Tensor, Tensor] {
    return this.#pair(OP.topk, k, dim);
  }
  /** Stable sort along `dim`: [values, indices]. */
  sort(dim = -1, descending = false): [Tensor, Tensor] {
    return this.#pair(OP.sort, true, dim, descending);
  }
  cumsum(dim: number): Tensor {
    return new Tensor(native.call(OP.cumsum, this.handle, dim) as Handle);
  }
  softmax(dim: number): Tensor {
    return new Tensor(native.call(OP.softmax, this.handle, dim) as Handle);
  }
  logSoftmax(dim: number): Tensor {
    return new Tensor(native.call(OP.logSoftmax, this.handle, dim) as Handle);
  }
  logsumexp(dim: number, keepDim = false): Tensor {
    return new Tensor(native.call(OP.logsumexp, this.handle, [dim], keepDim) as Handle);
  }
  /** Draws column indices with the rows' weights, int64 [rows, samples]. */
  multinomial(samples: number, replacement: boolean, generator?: Generator): Tensor {
    const handle = native.call(OP.multinomial, this.handle, samples, replacement, generator?.handle);
    return new Tensor(handle as Handle);
  }

  // ------------------------------------------------------------------------------------------ shape and selection
  reshape(...shape: number[]): Tensor {
    return new Tensor(native.call(OP.reshape, this.handle, shape) as Handle);
  }
  view(...shape: number[]): Tensor {
    return new Tensor(native.call(OP.view, this.handle, shape) as Handle);
  }
  /** The same bits as another dtype. */
  viewAs(dtype: DType): Tensor {
    return new Tensor(native.call(OP.viewDType, this.handle, dtype) as Handle);
  }
  transpose(a: number, b: number): Tensor {
    return new Tensor(native.call(OP.transpose, this.handle, a, b) as Handle);
  }
  permute(...dims: number[]): Tensor {
    return new Tensor(native.call(OP.permute, this.handle, dims) as Handle);
  }
  unsqueeze(dim: number): Tensor {
    return new Tensor(native.call(OP.unsqueeze, this.handle, dim) as Handle);
  }
  squeeze(dim: number): Tensor {
    return new Tensor(native.call(OP.squeeze, this.handle, dim) as Handle);
  }
  /** −1 keeps a size. */
  expand(...shape: number[]): Tensor {
    return new Tensor(native.call(OP.expand, this.handle, shape) as Handle);
  }
  flatten(start = 0, end = -1): Tensor {
    return new Tensor(native.call(OP.flatten, this.handle, start, end) as Handle);
  }
  /** Elements start ≤ i < end along `dim`; a view. */
  slice(dim: number, start: number, end: number): Tensor {
    return new Tensor(native.call(OP.slice, this.handle, dim, start, end) as Handle);
  }
  select(dim: number, index: number): Tensor {
    return new Tensor(native.call(OP.select, this.handle, dim, index) as Handle);
  }
  indexSelect(dim: number, index: Tensor): Tensor {
    return new Tensor(native.call(OP.indexSelect, this.handle, dim, index.handle) as Handle);
  }
  gather(dim: number, index: Tensor): Tensor {
    return new Tensor(native.call(OP.gather, this.handle, dim, index.handle) as Handle);
  }
  maskedFill(mask: Tensor, value: number): Tensor {
    return new Tensor(native.call(OP.maskedFill, this.handle, mask.handle, value) as Handle);
  }
  /** Views of `size` along `dim`; the last may be shorter. */
  split(size: number, dim = 0): Tensor[] {
    return (native.call(OP.split, this.handle, size, dim) as Handle[]).map((handle) => new Tensor(handle));
  }
  /** Every element along `dim`, `repeats` times in a row. */
  repeatInterleave(repeats: number, dim: number): Tensor {
    return new Tensor(native.call(OP.repeatInterleave, this.handle, repeats, dim) as Handle);
  }

  // ------------------------------------------------------------------------------------------ conversion
  /** This tensor itself in another dtype or on another device; a new handle even where nothing changes. */
  to(target: { dtype?: DType; device?: string }): Tensor {
    if (target.device !== undefined)
      return new Tensor(native.call(OP.toDevice, this.handle, target.device, target.dtype ?? this.dtype) as Handle);
    return new Tensor(native.call(OP.toDType, this.handle, target.dtype ?? this.dtype) as Handle);
  }

  // ------------------------------------------------------------------------------------------ gradients
  /** The gradient that `backward` accumulated on this leaf; each read makes a new handle to it. */
  get grad(): Tensor | null {
    const handle = native.gradientOf(this.handle);
    return handle === null ? null : new Tensor(handle);
  }
  set grad(gradient: Tensor | null) {
    native.setGradient(this.handle, gradient?.handle ?? 0);
  }
}
