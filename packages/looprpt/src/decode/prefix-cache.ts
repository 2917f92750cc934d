/**
 * Beginnings of prompts that have been read, to be used again by requests that begin alike.
 *
 * Whole pages only: block b of a prompt is found by its tokens and all before it, together with how they were read (`mode`).
 * The cache holds its pages beside whoever uses them, and gives up the longest unused when pages are wanted; a block goes before
 * the one that it continues. It stores no numbers itself: a page once read is never written again.
 */
import type { PagePool } from './page-pool.js';

/** One page of tokens at every loop. */
export interface PrefixBlock {
  /** By loop. */
  pages: Int32Array;
}

interface Entry extends PrefixBlock {
  key: string;
  parent: Entry | null;
  id: number;
  /** Blocks that continue it. */
  children: number;
}

export class PrefixCache {
  readonly #pool: PagePool;
  /** In order of last use, the longest unused first. */
  readonly #entries = new Map<string, Entry>();
  #nextId = 1;

  constructor(pool: PagePool) {
    this.#pool = pool;
  }

  /** Pages that are held for nobody but the cache. */
  get idlePages(): number {
    let pages = 0;
    for (const entry of this.#entries.values()) if (this.#isIdle(entry)) pages += entry.pages.length;
    return pages;
  }

  /** The blocks that begin these tokens, which the caller shares before anything is given up. */
  find(mode: string, tokens: readonly number[]): PrefixBlock[] {
    const found: Entry[] = [];
    for (const block of this.#blocks(tokens)) {
      const entry = this.#entries.get(keyOf(mode, found.at(-1), block));
      if (!entry) break;
      found.push(entry);
    }
    // Later blocks count as used before earlier ones, so they go first.
    for (const entry of found.toReversed()) {
      this.#entries.delete(entry.key);
      this.#entries.set(entry.key, entry);
    }
    return found;
  }

  /** Remembers the blocks of a prompt that has been read. */
  add(mode: string, tokens: readonly number[], blockAt: (index: number) => PrefixBlock): void {
    let parent: Entry | undefined;
    for (const [index, block] of this.#blocks(tokens).entries()) {
      const key = keyOf(mode, parent, block);
      let entry = this.#entries.get(key);
      if (!entry) {
        entry = { ...blockAt(index), key, parent: parent ?? null, id: this.#nextId++, children: 0 };
        this.#pool.share(entry.pages);
        this.#entries.set(key, entry);
        if (parent) parent.children++;
      }
      parent = entry;
    }
  }

  /** Gives up idle blocks until so many pages are free; none where that would not be enough. */
  makeRoom(pages: number): void {
    if (this.#pool.free + this.idlePages < pages) return;
    for (let entry = this.#leastUsed(); entry && this.#pool.free < pages; entry = this.#leastUsed()) {
      this.#entries.delete(entry.key);
      if (entry.parent) entry.parent.children--;
      this.#pool.give(entry.pages);
    }
  }

  #leastUsed(): Entry | undefined {
    for (const entry of this.#entries.values()) if (entry.children === 0 && this.#isIdle(entry)) return entry;
    return undefined;
  }

  #isIdle({ pages }: Entry): boolean {
    return this.#pool.holders(pages[0]!) === 1;
  }

  #blocks(tokens: readonly number[]): string[] {
    const { pageSize } = this.#pool;
    const count = Math.floor(tokens.length / pageSize);
    return Array.from({ length: count }, (_, b) => tokens.slice(b * pageSize, (b + 1) * pageSize).join());
  }
}

function keyOf(mode: string, parent: Entry | undefined, block: string): string {
  return `${parent?.id ?? mode}:${block}`;
}
