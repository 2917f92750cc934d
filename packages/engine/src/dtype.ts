/** Element types by their PyTorch names, and the typed arrays that hold them in JavaScript. */

export type DType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

export type TypedArray =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array;

interface ArrayConstructor {
  new (length: number): TypedArray;
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
}

/** Half precision has no JavaScript array of its own: its bits travel as Uint16Array. */
const arrays: Record<DType, ArrayConstructor> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** @throws for what has no array: libtorch has more dtypes (complex, quantized), which `op()` may return */
export function arrayFor(dtype: DType): ArrayConstructor {
  const array = arrays[dtype];
  if (!array) throw new TypeError(`there is no JavaScript array for dtype ${dtype}`);
  return array;
}

/** Bytes of one element. */
export function elementBytes(dtype: DType): number {
  return arrayFor(dtype).BYTES_PER_ELEMENT;
}

/** The dtype whose bits a typed array holds; for Uint16Array the half precision that is `wanted`. */
export function dtypeOf(array: ArrayBufferView, wanted?: DType): DType {
  if (array instanceof Float32Array) return 'float32';
  if (array instanceof Float64Array) return 'float64';
  if (array instanceof BigInt64Array) return 'int64';
  if (array instanceof Int32Array) return 'int32';
  if (array instanceof Int16Array) return 'int16';
  if (array instanceof Int8Array) return 'int8';
  if (array instanceof Uint8Array) return 'uint8';
  if (array instanceof Uint16Array) {
    if (wanted === 'float16' || wanted === 'bfloat16') return wanted;
    throw new TypeError('a Uint16Array needs dtype float16 or bfloat16');
  }
  throw new TypeError(`a ${array.constructor.name} holds the elements of no dtype`);
}

export function isFloating(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16';
}
