/**
 * The safetensors file format: u64 little-endian header length, a JSON header padded with spaces, then the tensors' bytes,
 * little-endian and row-major. Every byte after the header belongs to exactly one tensor.
 */
import type { DType } from '@looprpt/engine';

/** The format's dtype names that libtorch has. */
export const DTYPES = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
} as const satisfies Record<string, DType>;

export type StoredDType = keyof typeof DTYPES;

/** The format's name of a dtype. */
export function storedDType(dtype: DType): StoredDType {
  return (Object.keys(DTYPES) as StoredDType[]).find((name) => DTYPES[name] === dtype)!;
}

/** Bytes of the length field before the header. */
export const LENGTH_BYTES = 8;

/** Headers beyond this are refused before they are read, as by the official reader. */
export const MAX_HEADER_BYTES = 100_000_000;

/** One tensor of a file. */
export interface StoredTensor {
  name: string;
  dtype: DType;
  shape: readonly number[];
  /** Place in the file, header included. */
  byteOffset: number;
  byteLength: number;
}
