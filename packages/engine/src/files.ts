/**
 * Memory-mapped files. The mapping is private: writing to it changes memory, never the file. A file that becomes shorter while it is
 * in use ends the process with exit code 1 and a line that names it, once a page behind its end is read.
 * `bytes` and tensors made from it stay valid after `close()`; the pages go when the last of them does.
 */
import type { DType } from './dtype.js';
import { native } from './native.js';
import { Tensor } from './tensor.js';

const collector = new FinalizationRegistry<number>((handle) => native.unmapFile(handle));

export class MappedFile implements Disposable {
  readonly path: string;
  #handle: number;
  #bytes: Uint8Array | undefined;

  /** @throws with the system's message if the file cannot be opened or is not a regular file */
  constructor(path: string) {
    this.path = path;
    this.#handle = native.mapFile(path);
    collector.register(this, this.#handle, this);
  }

  /** The whole file, without a copy. */
  get bytes(): Uint8Array {
    this.#bytes ??= new Uint8Array(native.mappedBytes(this.#handle));
    return this.#bytes;
  }

  /**
   * A CPU tensor over the file's own pages.
   * @throws if it does not lie within the file or the offset is not a multiple of the element size
   */
  tensor(byteOffset: number, dtype: DType, shape: readonly number[]): Tensor {
    return new Tensor(native.mappedTensor(this.#handle, byteOffset, dtype, shape));
  }

  close(): void {
    if (this.#handle === 0) return;
    collector.unregister(this);
    native.unmapFile(this.#handle);
    this.#handle = 0;
    this.#bytes = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

export function mapFile(path: string): MappedFile {
  return new MappedFile(path);
}

/** A file, such as a lock, that goes with the process if a mapped file becomes shorter in use; null takes that back. One at a time. */
export function removeOnFault(path: string | null): void {
  native.removeOnFault(path ?? '');
}
