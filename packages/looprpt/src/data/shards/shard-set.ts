/**
 * A folder of token shards, opened for reading: documents by index, as views of memory-mapped files.
 * Pages are read when they are touched and given back when nothing refers to them any more.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { UserError } from '../../base/user-error.js';
import type { DocumentSource } from '../loader/document-source.js';
import { type Manifest, readManifest } from './manifest.js';
import { MappedShard } from './map-shard.js';
import type { TokenDocument } from './token-document.js';

export interface OpenOptions {
  /** Compare every file with its checksum (default true); reads all of it once, about a second for each gigabyte. */
  verify?: boolean | undefined;
  /** The hash of the tokenizer that the model uses; ids made by another one are refused. */
  tokenizerHash?: string | undefined;
}

export class ShardSet implements DocumentSource {
  readonly id: string;
  /** For shards whose manifest says `pieces`. */
  readonly idCounts: (() => Iterable<number>) | undefined;
  /** The index of every shard's first document, and the number of documents at the end. */
  private readonly firsts: number[] = [0];

  private constructor(
    readonly dir: string,
    readonly manifest: Manifest,
    manifestText: string,
    private readonly shards: readonly MappedShard[],
  ) {
    this.id = `shards ${createHash('sha256').update(manifestText).digest('hex')}`;
    this.idCounts = manifest.longDocuments === 'pieces' ? () => this.#idCounts() : undefined;
    for (const shard of shards) this.firsts.push(this.firsts.at(-1)! + shard.documents);
  }

  /** @throws UserError when the folder is not one of shards, is damaged, or was made with another tokenizer */
  static open(dir: string, options: OpenOptions = {}): ShardSet {
    const { manifest, text } = readManifest(dir);
    if (options.tokenizerHash !== undefined && options.tokenizerHash !== manifest.tokenizer.sha256) {
      throw new UserError(
        `${dir}: made with another tokenizer than the model's; prepare the data with the model's own`,
      );
    }
    const verify = options.verify ?? true;
    const shards = manifest.shards.map((entry) => MappedShard.open(dir, manifest, entry, verify));
    return new ShardSet(dir, manifest, text, shards);
  }

  *#idCounts(): Generator<number, void, undefined> {
    for (const shard of this.shards) yield* shard.idCounts();
  }

  /** Whether training in rows of so many places reads documents on to their ends, one after the other. */
  readsInOrder(rowLength: number): boolean {
    if (this.idCounts !== undefined) return false;
    for (const ids of this.#idCounts()) if (ids - 1 > rowLength) return true;
    return false;
  }

  get length(): number {
    return this.manifest.counts.documents;
  }

  tokens(index: number): TokenDocument {
    assert(index >= 0 && index < this.length, `document ${index} of ${this.length}`);
    let low = 0;
    let high = this.shards.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firsts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return this.shards[low]!.document(index - this.firsts[low]!);
  }
}
