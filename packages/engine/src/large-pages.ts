/**
 * Copies of tensors in large pages, for weights that are read over and over. A processor reads ahead within a page; in pages of 4 KiB
 * a stream of weights comes at little more than half of the memory's speed, in pages of 2 MiB at nearly all of it.
 *
 * Not here: whether there is memory for a second copy, which is the caller's to know.
 */
import { readFileSync } from 'node:fs';
import { elementBytes } from './dtype.js';
import { noGrad } from './grad-mode.js';
import { native } from './native.js';
import { Tensor } from './tensor.js';

const REGION_BYTES = 64 * 2 ** 20;
/** Where a tensor begins: a cache line. */
const ALIGNMENT = 64;
const SETTING = '/sys/kernel/mm/transparent_hugepage/enabled';

/** Tensors side by side in regions of large pages. A region goes with the last tensor over it. */
export class LargePages implements Disposable {
  #region = 0;
  #used = 0;
  #length = 0;

  /** A copy, contiguous, on the CPU. @param source on the CPU @throws where the system has no memory left */
  place(source: Tensor): Tensor {
    const { dtype, shape } = source;
    const bytes = elementBytes(dtype) * shape.reduce((product, size) => product * size, 1);
    if (this.#used + bytes > this.#length) this.#take(Math.max(REGION_BYTES, bytes));
    const placed = new Tensor(native.mappedTensor(this.#region, this.#used, dtype, shape));
    this.#used += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    noGrad(() => placed.copy_(source));
    return placed;
  }

  /** Nothing more can be placed; tensors stay valid. */
  [Symbol.dispose](): void {
    if (this.#region !== 0) native.unmapFile(this.#region);
    this.#region = 0;
    this.#used = 0;
    this.#length = 0;
  }

  #take(bytes: number): void {
    this[Symbol.dispose]();
    this.#region = native.mapMemory(bytes);
    this.#length = bytes;
  }
}

/** Whether the system gives large pages to who asks for them. Elsewhere than on Linux it does not. */
export function hasLargePages(read: () => string = () => readFileSync(SETTING, 'utf8')): boolean {
  try {
    return !read().includes('[never]');
  } catch {
    return false;
  }
}
