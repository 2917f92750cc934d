/** What the loader reads from: tokenised documents by index, from files or made on the spot. */
import type { TokenDocument } from '../shards/token-document.js';

export interface DocumentSource {
  /** Equal for two sources only if they hold the same documents; a checkpoint remembers it. */
  readonly id: string;
  /** How many documents there are; `Infinity` for a generator, and where the number is not known. */
  readonly length: number;
  /**
   * Document `index` from 0; always the same for the same index. May be a promise while it is being made. Null behind the last
   * one, where the number was not known.
   */
  tokens(index: number): TokenDocument | null | Promise<TokenDocument | null>;
  /** After the last document that is wanted. */
  close?(): Promise<void>;
}
