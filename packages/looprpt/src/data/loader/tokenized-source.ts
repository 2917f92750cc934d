/**
 * Documents that are made or held in memory, tokenised when they are read: generated tasks without files.
 *
 * Neighbouring documents are tokenised together, on all cores. Of an endless source, which is read in order, the last few
 * of these blocks are kept; of a finite one, which may be read in any order and again, all. Which block a document came
 * in makes no difference to its tokens, so a document depends on its index alone.
 * The lengths of all documents, for which all are tokenised, are asked for before the first where long ones are read in pieces.
 */
import type { Tokenizer } from '../../text/tokenizer.js';
import type { Document } from '../documents/document.js';
import { type TokenDocument, tokenizeDocuments } from '../shards/token-document.js';
import type { DocumentSource } from './document-source.js';

export interface TokenizedSourceOptions {
  /** Names the documents, for checkpoints: task, configuration, seed and split. */
  id: string;
  /** Pure: the same document for the same index. */
  documentAt: (index: number) => Document;
  tokenizer: Tokenizer;
  /** How many documents there are (default Infinity). */
  length?: number | undefined;
}

const BLOCK = 64;
/** Blocks kept of an endless source: reading goes forward, and reaches back only when it is resumed. */
const KEPT = 4;

export class TokenizedTaskSource implements DocumentSource {
  readonly id: string;
  readonly length: number;
  readonly idCounts: (() => Promise<number[]>) | undefined;
  private readonly kept: number;
  /** By number, the one read last at the end. */
  private readonly blocks = new Map<number, TokenDocument[] | Promise<TokenDocument[]>>();

  constructor(private readonly options: TokenizedSourceOptions) {
    this.id = `${options.id}, tokenizer ${options.tokenizer.hash}`;
    this.length = options.length ?? Number.POSITIVE_INFINITY;
    this.idCounts = Number.isFinite(this.length) ? () => this.#idCounts() : undefined;
    this.kept = Number.isFinite(this.length) ? Number.POSITIVE_INFINITY : KEPT;
  }

  async #idCounts(): Promise<number[]> {
    const counts: number[] = [];
    for (let index = 0; index < this.length; index++) counts.push((await this.tokens(index)).ids.length);
    return counts;
  }

  tokens(index: number): TokenDocument | Promise<TokenDocument> {
    const number = Math.floor(index / BLOCK);
    const block = this.blocks.get(number) ?? this.make(number);
    this.blocks.delete(number);
    this.blocks.set(number, block);
    if (this.blocks.size > this.kept) this.blocks.delete(this.blocks.keys().next().value!);
    if (block instanceof Promise) return block.then((documents) => documents[index % BLOCK]!);
    return block[index % BLOCK]!;
  }

  private async make(number: number): Promise<TokenDocument[]> {
    const first = number * BLOCK;
    const count = Math.min(BLOCK, this.length - first);
    const documents = Array.from({ length: count }, (_, i) => this.options.documentAt(first + i));
    const made = await tokenizeDocuments(this.options.tokenizer, documents);
    if (this.blocks.has(number)) this.blocks.set(number, made);
    return made;
  }
}
