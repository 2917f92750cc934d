/**
 * What a tensor is (shape, dtype, device), its values in and out of JavaScript's arrays, and whether gradients are recorded for it.
 * Nothing here makes another tensor; operators are `Tensor`'s (tensor.ts).
 */
import { arrayFor, type DType, type TypedArray } from './dtype.js';
import { NativeTensor } from './memory.js';
import { native } from './native.js';

export class TensorData extends NativeTensor {
  #shape: readonly number[] | undefined;
  #dtype: DType | undefined;

  // ------------------------------------------------------------------------------------------ what it is
  get shape(): readonly number[] {
    this.#shape ??= native.sizes(this.handle);
    return this.#shape;
  }
  /** The size along `dim`; negative counts from the end. */
  size(dim: number): number {
    const size = this.shape.at(dim);
    if (size === undefined) throw new RangeError(`a tensor of shape [${this.shape}] has no dimension ${dim}`);
    return size;
  }
  get dim(): number {
    return this.shape.length;
  }
  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }
  get dtype(): DType {
    this.#dtype ??= native.dtype(this.handle) as DType;
    return this.#dtype;
  }
  get device(): string {
    return native.device(this.handle);
  }
  get nbytes(): number {
    return this.numel * arrayFor(this.dtype).BYTES_PER_ELEMENT;
  }
  get isContiguous(): boolean {
    return native.isContiguous(this.handle);
  }
  /** For `op()`, whose operators in place may change the shape: it is asked for again when next wanted. */
  forgetShape(): void {
    this.#shape = undefined;
  }
  override toString(): string {
    return `Tensor([${this.shape}], ${this.dtype}, ${this.device})`;
  }

  // ------------------------------------------------------------------------------------------ values out and in
  /** The value of a tensor with one element. */
  item(): number {
    return native.item(this.handle);
  }
  /** The elements in row-major order, in the array type of the dtype (half precision: the bits); a copy. */
  toTyped(): TypedArray {
    const array = new (arrayFor(this.dtype))(this.numel);
    native.readBytes(this.handle, array);
    return array;
  }
  /** The elements in row-major order as numbers, whatever the dtype; a copy. */
  toNumbers(): Float64Array {
    const array = new Float64Array(this.numel);
    native.readNumbers(this.handle, array);
    return array;
  }
  /** Nested arrays of numbers of the tensor's shape; a bare number for a tensor without dimensions. */
  toArray<T = unknown>(): T {
    const flat = this.toNumbers();
    let at = 0;
    const build = (dim: number): unknown =>
      dim === this.shape.length ? flat[at++] : Array.from({ length: this.shape[dim]! }, () => build(dim + 1));
    return build(0) as T;
  }
  /** The tensor's own memory (contiguous, CPU), not a copy. It stays valid after the tensor is disposed of. */
  viewTyped(): TypedArray {
    return new (arrayFor(this.dtype))(native.viewBytes(this.handle));
  }
  /** Overwrites the elements (contiguous, CPU, same number of bytes; bool: zeros and ones). */
  write(from: TypedArray): this {
    native.writeBytes(this.handle, from);
    return this;
  }

  // ------------------------------------------------------------------------------------------ gradients
  get requiresGrad(): boolean {
    return native.requiresGrad(this.handle);
  }
  set requiresGrad(on: boolean) {
    native.setRequiresGrad(this.handle, on);
  }
  get isLeaf(): boolean {
    return native.isLeaf(this.handle);
  }
}
