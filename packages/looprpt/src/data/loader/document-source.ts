/** What the loader reads from: tokenised documents by index, from files or made on the spot. */
import type { TokenDocument } from '../shards/token-document.js';

export interface DocumentSource {
  /** Equal for two sources only if they hold the same documents; a checkpoint remembers it. */
  readonly id: string;
  /** How many documents there are; `Infinity` for a generator, and where the number is not known. */
  readonly length: number;
  /**
   * Given where documents longer than a row are to be read in pieces (pieces.ts), when they are read in a random order: how many ids
   * each of the `length` documents has, in turn.
   */
  readonly idCounts?: (() => Iterable<number> | Promise<Iterable<number>>) | undefined;
  /**
   * Document `index` from 0; always the same for the same index. May be a promise while it is being made. Null behind the last
   * one, where the number was not known.
   */
  tokens(index: number): TokenDocument | null | Promise<TokenDocument | null>;
  /** After the last document that is wanted. */
  close?(): Promise<void>;
}
