/** A safetensors file, memory-mapped: its tensors are the file's own pages, nothing is read before it is used. */
import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { empty, type MappedFile, mapFile, scope, type Tensor } from '@looprpt/engine';
import { UserError } from '../../base/user-error.js';
import { oneLine } from '../../text/tokenizer-config.js';
import type { StoredTensor } from './format.js';
import { type Header, readHeader } from './header.js';

export class SafetensorsFile implements Disposable {
  readonly path: string;
  /** In the order of their bytes. */
  readonly tensors: readonly StoredTensor[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly #mapped: MappedFile;

  /** @throws UserError when the file cannot be opened or is malformed */
  constructor(path: string) {
    const { tensors, metadata } = withFile(path, (file): Header => {
      const { size: length } = fstatSync(file);
      return readHeader({ path, length, read: (offset, bytes) => readFully(file, new Uint8Array(bytes), offset) });
    });
    this.path = path;
    this.tensors = tensors;
    this.metadata = metadata;
    this.#mapped = mapFile(path);
  }

  /**
   * A CPU tensor over the file's pages, or over a copy where the file does not align it to its element size. It stays valid
   * after `close()`. Writing to it never reaches the file.
   */
  load({ byteOffset, byteLength, dtype, shape }: StoredTensor): Tensor {
    const elements = shape.reduce((product, size) => product * size, 1);
    if (elements === 0) return empty(shape, { dtype });
    if (byteOffset % (byteLength / elements) === 0) return this.#mapped.tensor(byteOffset, dtype, shape);
    return scope(() => {
      const bytes = empty([byteLength], { dtype: 'uint8' });
      withFile(this.path, (file) => readFully(file, bytes.viewTyped() as Uint8Array, byteOffset));
      return bytes.viewAs(dtype).view(...shape);
    });
  }

  /** Calls `use` with a tensor over pages that are let go afterwards, so that looking through it leaves nothing in memory. */
  visit<T>(stored: StoredTensor, use: (tensor: Tensor) => T): T {
    using again = new SafetensorsFile(this.path);
    return scope(() => use(again.load(stored)));
  }

  close(): void {
    this.#mapped.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function withFile<T>(path: string, use: (file: number) => T): T {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw new UserError(`${path}: cannot be opened (${(error as NodeJS.ErrnoException).code ?? oneLine(error)})`);
  }
  try {
    if (!fstatSync(file).isFile()) throw new UserError(`${path}: not a regular file`);
    return use(file);
  } finally {
    closeSync(file);
  }
}

/** Fills `into` from `offset` on; one system call may give less than it was asked for. */
function readFully(file: number, into: Uint8Array, offset: number): Uint8Array {
  for (let done = 0; done < into.length; ) {
    const got = readSync(file, into, done, Math.min(into.length - done, 1 << 26), offset + done);
    assert(got > 0, 'the file became shorter while it was read');
    done += got;
  }
  return into;
}
