/** New tensors: from JavaScript's numbers and arrays, filled, counted, random. */
import { type DType, dtypeOf } from './dtype.js';
import type { Generator } from './generator.js';
import { type Handle, native } from './native.js';
import { Tensor } from './tensor.js';

export interface Options {
  /** Default float32; for typed arrays the array's own. */
  dtype?: DType;
  /** Default 'cpu'. */
  device?: string;
}

export type Nested = number | boolean | readonly Nested[];

const EMPTY = native.resolve('aten::empty', 'memory_format');
const FULL = native.resolve('aten::full', '');
const ARANGE = native.resolve('aten::arange', 'start_step');

function shapeOf(data: Nested): number[] {
  const shape: number[] = [];
  for (let level = data; Array.isArray(level); level = level[0] as Nested) shape.push(level.length);
  return shape;
}

function flatten(data: Nested, shape: readonly number[], depth: number, into: Float64Array, at: number): number {
  if (!Array.isArray(data)) {
    if (depth !== shape.length) throw new RangeError('the rows of a nested array differ in depth');
    if (typeof data !== 'number' && typeof data !== 'boolean') throw new TypeError(`not a number: ${String(data)}`);
    into[at] = Number(data);
    return at + 1;
  }
  if (data.length !== shape[depth]) throw new RangeError('the rows of a nested array differ in length');
  for (const element of data as readonly Nested[]) at = flatten(element, shape, depth + 1, into, at);
  return at;
}

/**
 * A tensor with a copy of `data`: a number, nested arrays of numbers (float32 unless told otherwise), or a typed array
 * (its own dtype; Uint16Array needs `dtype` float16 or bfloat16, whose bits it holds) of the given shape.
 */
export function tensor(
  data: Nested | NodeJS.TypedArray,
  options: Options & { shape?: readonly number[] } = {},
): Tensor {
  const device = options.device ?? 'cpu';
  if (ArrayBuffer.isView(data)) {
    const own = dtypeOf(data, options.dtype);
    const array = data as NodeJS.TypedArray;
    return new Tensor(native.fromBytes(array, own, options.shape ?? [array.length], options.dtype ?? own, device));
  }
  const shape = shapeOf(data as Nested);
  const flat = new Float64Array(shape.reduce((product, size) => product * size, 1));
  flatten(data as Nested, shape, 0, flat, 0);
  return new Tensor(native.fromBytes(flat, 'float64', options.shape ?? shape, options.dtype ?? 'float32', device));
}

export function empty(shape: readonly number[], options: Options = {}): Tensor {
  return new Tensor(native.call(EMPTY, shape, options.dtype ?? 'float32', null, options.device ?? 'cpu') as Handle);
}

export function full(shape: readonly number[], value: number, options: Options = {}): Tensor {
  return new Tensor(
    native.call(FULL, shape, value, options.dtype ?? 'float32', null, options.device ?? 'cpu') as Handle,
  );
}

export function zeros(shape: readonly number[], options: Options = {}): Tensor {
  return full(shape, 0, options);
}

export function ones(shape: readonly number[], options: Options = {}): Tensor {
  return full(shape, 1, options);
}

/** start, start + step, … below `end`; int64 unless told otherwise. */
export function arange(start: number, end: number, options: Options & { step?: number } = {}): Tensor {
  const { step = 1, dtype = 'int64', device = 'cpu' } = options;
  return new Tensor(native.call(ARANGE, start, end, step, dtype, null, device) as Handle);
}

/** Standard normal numbers. */
export function randn(shape: readonly number[], options: Options & { generator?: Generator } = {}): Tensor {
  return empty(shape, options).normal_(0, 1, options.generator);
}
