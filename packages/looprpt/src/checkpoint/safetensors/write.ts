/**
 * Writes a safetensors file, one tensor after the other: at no time is there more than one tensor's copy in memory, and
 * none where the tensor is contiguous, on the CPU and of the right dtype. The same tensors give the same bytes.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type DType, elementBytes, noGrad, scope, type Tensor } from '@looprpt/engine';
import { LENGTH_BYTES, storedDType } from './format.js';

/** What is written under one name. */
export interface TensorToWrite {
  name: string;
  shape: readonly number[];
  dtype: DType;
  /** Called once, when its turn comes; any device, dtype and layout. */
  values: () => Tensor;
}

const CHUNK_BYTES = 1 << 26;

/** Replaces `path` whole, or leaves it as it was. The file is on the disk when this returns; its folder is not synced. */
export function writeSafetensors(path: string, tensors: readonly TensorToWrite[]): void {
  const ordered = inFileOrder(tensors);
  const partial = join(dirname(path), `.${basename(path)}.partial`);
  const file = openSync(partial, 'w');
  try {
    writeAll(file, safetensorsHeader(ordered));
    // An empty tensor has no memory to look at.
    for (const { values, dtype } of ordered.filter((entry) => storedBytes(entry) > 0))
      withBytes({ values, dtype }, (bytes) => writeAll(file, bytes));
    fsyncSync(file);
    renameSync(partial, path);
  } finally {
    closeSync(file);
    rmSync(partial, { force: true });
  }
}

/** Bytes that the tensors of a list take in a file, header not counted. */
export function storedBytes({ shape, dtype }: Pick<TensorToWrite, 'shape' | 'dtype'>): number {
  return shape.reduce((product, size) => product * size, elementBytes(dtype));
}

/** Wide elements first, so that every tensor starts at a multiple of its element size. */
export function inFileOrder<T extends Pick<TensorToWrite, 'dtype'>>(tensors: readonly T[]): T[] {
  return [...tensors].sort((a, b) => elementBytes(b.dtype) - elementBytes(a.dtype));
}

/** What stands in front of the tensors' bytes; they follow in the same order, without gaps. */
export function safetensorsHeader(tensors: readonly Omit<TensorToWrite, 'values'>[]): Uint8Array {
  // Without a prototype, so that a tensor may be called `__proto__`.
  const entries = Object.assign(Object.create(null) as Record<string, unknown>, { __metadata__: { format: 'pt' } });
  let end = 0;
  for (const { name, shape, dtype } of tensors) {
    const begin = end;
    end += storedBytes({ shape, dtype });
    entries[name] = { dtype: storedDType(dtype), shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(entries));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = Buffer.alloc(LENGTH_BYTES + length, ' ');
  bytes.writeBigUInt64LE(BigInt(length));
  json.copy(bytes, LENGTH_BYTES);
  return bytes;
}

/** Hands over the bytes as they stand in the file; they are valid during the call only. Not for empty tensors. */
export function withBytes<T>(
  { values, dtype }: Pick<TensorToWrite, 'values' | 'dtype'>,
  use: (bytes: Uint8Array) => T,
): T {
  return scope(() =>
    noGrad(() => {
      const elements = values().to({ dtype, device: 'cpu' }).contiguous().viewTyped();
      return use(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength));
    }),
  );
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, Math.min(CHUNK_BYTES, bytes.length - done));
}
