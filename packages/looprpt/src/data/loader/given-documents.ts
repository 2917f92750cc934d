/**
 * Documents that a program gives, tokenised as they are read.
 *
 * A list is like any finite source: shuffled, long documents in pieces, read again in the next epoch. A stream is read once, in its own order, a block
 * ahead; its number of documents is not known. A run that goes on reads it anew from its beginning and passes over what was
 * trained on, so the same documents must come again in the same order.
 */
import { createHash } from 'node:crypto';
import { UserError } from '../../base/user-error.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { type Document, type Documents, lossFault } from '../documents/document.js';
import { type TokenDocument, tokenizeDocuments } from '../shards/token-document.js';
import type { DocumentSource } from './document-source.js';
import { TokenizedTaskSource } from './tokenized-source.js';

/** Tokenised together. */
const BLOCK = 64;

/** @param name what messages and checkpoints call them */
export function givenDocuments(documents: Documents, name: string, tokenizer: Tokenizer): DocumentSource {
  return Array.isArray(documents)
    ? listed(documents as readonly Document[], name, tokenizer)
    : new DocumentStream(documents, name, tokenizer);
}

function listed(documents: readonly Document[], name: string, tokenizer: Tokenizer): DocumentSource {
  const hash = createHash('sha256');
  documents.forEach((document, index) => {
    const { text, loss } = checked(document, index, name);
    hash.update(JSON.stringify([text, loss]));
  });
  if (documents.length === 0) throw new UserError(`${name}: holds no document`);
  return new TokenizedTaskSource({
    id: `${name} ${hash.digest('hex')}`,
    tokenizer,
    length: documents.length,
    documentAt: (index) => documents[index]!,
  });
}

class DocumentStream implements DocumentSource {
  readonly id: string;
  /** Not known. */
  readonly length = Number.POSITIVE_INFINITY;
  readonly #name: string;
  readonly #tokenizer: Tokenizer;
  readonly #documents: AsyncIterator<Document> | Iterator<Document>;
  /** Documents taken from the stream so far. */
  #taken = 0;
  /** The block read last, and the index of its first document. */
  #block: { first: number; documents: TokenDocument[] } = { first: 0, documents: [] };
  #ended = false;

  constructor(documents: Documents, name: string, tokenizer: Tokenizer) {
    this.id = `${name}, tokenizer ${tokenizer.hash}`;
    this.#name = name;
    this.#tokenizer = tokenizer;
    this.#documents =
      Symbol.asyncIterator in documents ? documents[Symbol.asyncIterator]() : documents[Symbol.iterator]();
  }

  /** Indices are asked for in ascending order. */
  async tokens(index: number): Promise<TokenDocument | null> {
    while (!this.#ended && index >= this.#block.first + this.#block.documents.length) await this.#read(index);
    return this.#block.documents[index - this.#block.first] ?? null;
  }

  /** Tells the stream that nothing more will be read. */
  async close(): Promise<void> {
    if (!this.#ended) await this.#documents.return?.();
    this.#ended = true;
  }

  async #read(from: number): Promise<void> {
    const documents: Document[] = [];
    let first = this.#taken;
    while (documents.length < BLOCK) {
      const next = await this.#documents.next();
      if (next.done) {
        this.#ended = true;
        break;
      }
      const document = checked(next.value, this.#taken++, this.#name);
      if (this.#taken > from) documents.push(document);
      else first = this.#taken;
    }
    this.#block = { first, documents: await tokenizeDocuments(this.#tokenizer, documents) };
  }
}

/** The types say the same; a program in JavaScript may not. */
function checked(document: Document, index: number, name: string): Document {
  const { text, loss } = (document ?? {}) as Partial<Document>;
  const fault =
    typeof text === 'string'
      ? loss && lossFault(loss, text.length)
      : `is ${JSON.stringify(document)?.slice(0, 80)}, not { text, loss? }`;
  if (fault === undefined) return document;
  throw new UserError(`${name}: document ${index + 1}: ${fault}`);
}
