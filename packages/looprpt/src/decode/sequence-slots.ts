/**
 * All slot arithmetic of the cache: in which slot a token writes its keys and values at a loop, and which slots a token at that
 * loop reads, one for each earlier token and itself.
 *
 * What is read is a "line": entry t is the slot of token t as seen from that loop. A token that left at loop e has its keys and
 * values of loop e copied to its slot of a later loop before anybody reads that loop, and not at all where nobody does: so a line is
 * whole pages, which attention reads as vectors, and neighbours are copied together. With the policy
 * `last` there is one line for all loops of decoding; while the prompt is read there are as many as loops, and the pages of all but
 * the last loop are freed when it has been.
 *
 * Loops count from 0 here. Invariants: every page is taken, or shared with a prefix, once, when the sequence is
 * admitted, and given back once, by `endPrefill` or `release`; nobody writes to a slot that another sequence reads.
 */
import assert from 'node:assert/strict';
import { type CachePolicy, pageNeed } from './cache-policy.js';
import type { PagePool } from './page-pool.js';
import type { PrefixBlock } from './prefix-cache.js';

export interface SequenceSize {
  /** Most loops that a token of the sequence runs. */
  loops: number;
  /** Tokens that are read before decoding starts: the prompt without its last. */
  prompt: number;
  /** Tokens that the cache will hold in the end. */
  capacity: number;
}

/** Slots whose contents are to be copied, pairwise. */
export interface SlotMoves {
  from: number[];
  to: number[];
}

export class SequenceSlots {
  readonly size: SequenceSize;
  /** Tokens of the prompt that had been read before. */
  readonly begun: number;
  readonly #pool: PagePool;
  readonly #policy: CachePolicy;
  /** By loop, the pages of its slots; empty once given back. */
  readonly #pages: Int32Array[];
  readonly #lines: Int32Array[];
  /** By token the loop at which it left; the last one where it has not. */
  readonly #left: Uint8Array;
  /** By loop, how many tokens of its line are there. */
  readonly #filled: Int32Array;
  #prefilling: boolean;

  private constructor(pool: PagePool, policy: CachePolicy, size: SequenceSize, begun: readonly PrefixBlock[]) {
    const { loops, prompt, capacity } = size;
    this.size = size;
    this.begun = begun.length * pool.pageSize;
    this.#pool = pool;
    this.#policy = policy;
    const long = pool.pagesFor(capacity);
    const short = policy.decode === 'last' ? pool.pagesFor(prompt) : long;
    this.#pages = Array.from({ length: loops }, (_, loop) => {
      const shared = begun.map(({ pages }) => pages[loop]!);
      return Int32Array.of(...shared, ...pool.take((loop === loops - 1 ? long : short) - shared.length));
    });
    this.#lines = this.#pages.map((pages) => Int32Array.from({ length: capacity }, (_, t) => slotIn(pages, t, pool)));
    this.#left = new Uint8Array(capacity).fill(loops - 1);
    this.#filled = new Int32Array(loops).fill(this.begun);
    this.#prefilling = true;
    if (prompt === this.begun) this.endPrefill();
  }

  /**
   * Slots for a sequence of at most this size, or null where the pool has not enough pages now.
   * @param begun blocks that its prompt begins with, not for the policy `last`; if it succeeds, it takes over the caller's hold on them
   */
  static reserve(
    pool: PagePool,
    policy: CachePolicy,
    size: SequenceSize,
    begun: readonly PrefixBlock[] = [],
  ): SequenceSlots | null {
    assert(begun.length === 0 || policy.decode !== 'last');
    const need = pageNeed(policy, (tokens) => pool.pagesFor(tokens), size) - begun.length * size.loops;
    return need > pool.free ? null : new SequenceSlots(pool, policy, size, begun);
  }

  /** What later tokens see of earlier ones. */
  get kind(): CachePolicy['decode'] {
    return this.#policy.decode;
  }

  /** A whole page of the prompt, once that has been read. */
  block(index: number): PrefixBlock {
    return { pages: Int32Array.from(this.#pages, (pages) => pages[index]!) };
  }

  /** The slots that a token at `loop` reads, its own included. */
  line(loop: number): Int32Array {
    return this.#lines[this.#lineOf(loop)]!;
  }

  /** Where the token at `position` writes at `loop`. */
  slot(position: number, loop: number): number {
    const line = this.#lineOf(loop);
    return slotIn(this.#pages[line]!, position, this.#pool);
  }

  /** The token at `position` has run loop `loop` as its last. */
  leave(position: number, loop: number): void {
    this.#left[position] = loop;
  }

  /**
   * A token at `position` runs `loop` next, and looks at all before it.
   * @param moves gets what must be copied before anybody writes or reads in that pass
   */
  fill(position: number, loop: number, moves: SlotMoves): void {
    if (this.#lines.length === 1) return;
    for (let earlier = this.#filled[loop]!; earlier < position; earlier++) {
      const left = this.#left[earlier]!;
      if (left >= loop) continue;
      moves.from.push(this.slot(earlier, left));
      moves.to.push(this.slot(earlier, loop));
    }
    this.#filled[loop] = Math.max(this.#filled[loop]!, position);
  }

  /** The prompt has been read. @returns what must be copied before anything else is written anywhere */
  endPrefill(): SlotMoves {
    assert(this.#prefilling, 'the prompt ends once');
    this.#prefilling = false;
    const moves: SlotMoves = { from: [], to: [] };
    // Others may begin with its pages, and do not know where its tokens left.
    if (this.#policy.decode !== 'last') {
      for (let loop = 0; loop < this.size.loops; loop++) this.fill(this.size.prompt, loop, moves);
      return moves;
    }
    const last = this.size.loops - 1;
    for (let position = 0; position < this.size.prompt; position++) {
      const loop = this.#left[position]!;
      if (loop === last) continue;
      moves.from.push(this.slot(position, loop));
      moves.to.push(this.slot(position, last));
    }
    const kept = this.#pages.pop()!;
    for (const pages of this.#pages) this.#pool.give(pages);
    this.#pages.splice(0, last, kept);
    const line = Int32Array.from({ length: this.size.capacity }, (_, t) => slotIn(kept, t, this.#pool));
    this.#lines.splice(0, this.size.loops, line);
    return moves;
  }

  /** Gives back all pages; nothing may be asked afterwards. */
  release(): void {
    for (const pages of this.#pages.splice(0)) this.#pool.give(pages);
    this.#lines.length = 0;
  }

  #lineOf(loop: number): number {
    assert(loop < this.size.loops && this.#lines.length > 0);
    return this.#lines.length === 1 ? 0 : loop;
  }
}

function slotIn(pages: Int32Array, position: number, { pageSize }: PagePool): number {
  const page = pages[Math.floor(position / pageSize)];
  // A token of a loop whose pages cover the prompt only has no slot there.
  return page === undefined ? -1 : page * pageSize + (position % pageSize);
}
