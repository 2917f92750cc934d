/**
 * `data prepare`: documents in, a folder of token shards out. Tokenised once, so that training maps files and reads.
 * The folder appears whole or not at all. Formats of input are the readers' business, packing is the loader's.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../base/user-error.js';
import { writeWholeFolder } from '../../base/whole-folder.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import type { Document } from '../documents/document.js';
import { MANIFEST, type Manifest, type ShardEntry } from './manifest.js';
import { ShardWriter } from './shard-writer.js';
import { tokenizeDocuments } from './token-document.js';

/** Documents are tokenised in batches of about this many characters, enough to occupy all cores. */
const BATCH_CHARACTERS = 1 << 20;

/** What `prepareShards` is given. */
export interface PrepareOptions {
  documents: AsyncIterable<Document> | Iterable<Document>;
  tokenizer: Tokenizer;
  /** The folder to write; must not exist, or be empty. */
  out: string;
  /** Where the documents come from, for the manifest. */
  source: string;
  /** A label for the manifest (default `train`). */
  split?: string | undefined;
  /** A shard is closed when it holds this many tokens (default 2²⁴); it takes about three bytes of memory for each. */
  shardTokens?: number | undefined;
  /** How training is to read documents longer than its rows (default `pieces`; see the manifest). */
  longDocuments?: Manifest['longDocuments'] | undefined;
  /** How many broken records the reader left out; asked at the end. */
  skippedRecords?: (() => number) | undefined;
  /** Called after every batch. */
  onProgress?: ((done: { documents: number; tokens: number }) => void) | undefined;
}

/**
 * Tokenises documents into a folder of token shards, which training maps into memory. What `looprpt data prepare` does.
 * @returns the manifest: counts of documents and tokens, checksums, the tokenizer's hash
 * @throws UserError when the input holds no text or the output folder is taken
 * @example
 * const { documents } = openDocuments(schemas.documents.parse({ kind: 'files', paths: ['corpus/'] }));
 * await prepareShards({ documents, tokenizer: model.tokenizer, out: 'shards', source: 'corpus' });
 */
export async function prepareShards(options: PrepareOptions): Promise<Manifest> {
  assert.equal(endianness(), 'LE', 'shards are little-endian');
  const { tokenizer, shardTokens = 2 ** 24 } = options;
  const counts = { documents: 0, tokens: 0, lossTokens: 0, emptyDocuments: 0, skippedRecords: 0 };
  const dtype = tokenizer.vocabSize <= 65536 ? 'uint16' : 'uint32';

  return writeWholeFolder(options.out, async (dir) => {
    const shards: ShardEntry[] = [];
    let writer = new ShardWriter(dtype);
    const close = async () => {
      shards.push(await writer.write(dir, `shard-${String(shards.length).padStart(5, '0')}`));
      writer = new ShardWriter(dtype);
    };
    for await (const batch of batches(options.documents)) {
      const texts = batch.filter((document) => document.text !== '');
      counts.emptyDocuments += batch.length - texts.length;
      for (const document of await tokenizeDocuments(tokenizer, texts)) {
        writer.add(document);
        counts.documents++;
        counts.tokens += document.ids.length;
        counts.lossTokens += document.loss?.subarray(1).reduce((sum, mark) => sum + mark, 0) ?? document.ids.length - 1;
        if (writer.tokens >= shardTokens) await close();
      }
      options.onProgress?.({ documents: counts.documents, tokens: counts.tokens });
    }
    if (writer.tokens > 0) await close();
    counts.skippedRecords = options.skippedRecords?.() ?? 0;
    if (shards.length === 0) {
      throw new UserError(`${options.source}: no text found (${counts.skippedRecords} broken records left out)`);
    }
    const manifest: Manifest = {
      format: 'looprpt-shards',
      version: 1,
      split: options.split ?? 'train',
      source: options.source,
      tokenizer: { sha256: tokenizer.hash, vocabSize: tokenizer.vocabSize, endOfText: tokenizer.endOfTextId },
      dtype,
      longDocuments: options.longDocuments ?? 'pieces',
      counts,
      shards,
    };
    await writeFile(join(dir, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    return manifest;
  });
}

async function* batches(documents: AsyncIterable<Document> | Iterable<Document>): AsyncGenerator<Document[]> {
  let batch: Document[] = [];
  let characters = 0;
  for await (const document of documents) {
    batch.push(document);
    // An empty text costs something too.
    characters += document.text.length + 1;
    if (characters < BATCH_CHARACTERS) continue;
    yield batch;
    batch = [];
    characters = 0;
  }
  if (batch.length > 0) yield batch;
}
