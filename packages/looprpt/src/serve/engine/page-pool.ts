/**
 * Which pages of the cache are free. A page is a run of `pageSize` slots; a slot holds one token's keys and values of every
 * layer at one loop.
 *
 * It knows nothing of tokens and loops (sequence-slots.ts) nor of tensors (kv-memory.ts). Invariants: a page has one owner at
 * a time; giving back a page that is free is an error; `free + taken = pages` always.
 */
import assert from 'node:assert/strict';

export class PagePool {
  readonly pages: number;
  readonly pageSize: number;
  readonly #free: number[];
  readonly #isFree: Uint8Array;

  constructor(pages: number, pageSize: number) {
    assert(Number.isInteger(pages) && pages > 0 && Number.isInteger(pageSize) && pageSize > 0);
    this.pages = pages;
    this.pageSize = pageSize;
    // The lowest page comes first: what is used stays together.
    this.#free = Array.from({ length: pages }, (_, i) => pages - 1 - i);
    this.#isFree = new Uint8Array(pages).fill(1);
  }

  /** Pages that nobody owns. */
  get free(): number {
    return this.#free.length;
  }

  /** Pages for so many tokens. */
  pagesFor(tokens: number): number {
    return Math.ceil(tokens / this.pageSize);
  }

  /** Takes `count` pages; the caller has asked whether there are so many. */
  take(count: number): Int32Array {
    assert(count <= this.free, `${count} pages are wanted, ${this.free} are free`);
    const taken = Int32Array.from(this.#free.splice(this.#free.length - count).reverse());
    for (const page of taken) this.#isFree[page] = 0;
    return taken;
  }

  give(pages: Int32Array): void {
    for (const page of pages) {
      assert(this.#isFree[page] === 0, `page ${page} is given back twice`);
      this.#isFree[page] = 1;
      this.#free.push(page);
    }
  }
}
