/**
 * Which pages of the cache are free. A page is a run of `pageSize` slots; a slot holds one token's keys and values of every
 * layer at one loop.
 *
 * It knows nothing of tokens and loops (sequence-slots.ts) nor of tensors (kv-memory.ts). Invariants: a page is free exactly when
 * nobody holds it; whoever took or shared it gives it back once, and to give back a page that is free is an error.
 */
import assert from 'node:assert/strict';

export class PagePool {
  readonly pages: number;
  readonly pageSize: number;
  readonly #free: number[];
  readonly #holders: Uint32Array;

  constructor(pages: number, pageSize: number) {
    assert(Number.isInteger(pages) && pages > 0 && Number.isInteger(pageSize) && pageSize > 0);
    this.pages = pages;
    this.pageSize = pageSize;
    // The lowest page comes first: what is used stays together.
    this.#free = Array.from({ length: pages }, (_, i) => pages - 1 - i);
    this.#holders = new Uint32Array(pages);
  }

  /** Pages that nobody holds. */
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
    for (const page of taken) this.#holders[page] = 1;
    return taken;
  }

  /** Holds pages that somebody else holds already. */
  share(pages: Int32Array): void {
    for (const page of pages) {
      assert(this.#holders[page]! > 0, `page ${page} is free: there is nothing to share`);
      this.#holders[page]!++;
    }
  }

  /** How many hold this page. */
  holders(page: number): number {
    return this.#holders[page]!;
  }

  give(pages: Int32Array): void {
    for (const page of pages) {
      assert(this.#holders[page]! > 0, `page ${page} is given back twice`);
      if (--this.#holders[page]! === 0) this.#free.push(page);
    }
  }
}
