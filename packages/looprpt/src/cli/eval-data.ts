/**
 * The data of `eval`: a folder of shards, text files, a data set by name, or a generated task, as batches that come out the
 * same each time, so that several models can be judged on the same tokens.
 *
 * Documents are not cut where they fit into a row, and are visited once, in order.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assigned } from '../base/settings/assign.js';
import { UserError } from '../base/user-error.js';
import type { Document } from '../data/documents/document.js';
import { openDocuments } from '../data/documents/source.js';
import type { PackedBatch } from '../data/loader/batch.js';
import type { DocumentSource } from '../data/loader/document-source.js';
import { loaderConfig, PackedLoader } from '../data/loader/packed-loader.js';
import { MANIFEST } from '../data/shards/manifest.js';
import { ShardSet } from '../data/shards/shard-set.js';
import { type TokenDocument, tokenizeDocuments } from '../data/shards/token-document.js';
import { documentAt, taskConfig } from '../data/tasks/index.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { type DocumentOptions, documentSource } from './document-options.js';

export interface EvalDataOptions extends DocumentOptions {
  /** A path, or `task:NAME` for a generated task's held-out problems. */
  data: string;
  /** Enough documents for so many tokens are read; default all. */
  maxTokens?: number | undefined;
  /** Documents of a generated task, and its settings as `key=value`. */
  count: number;
  set?: string[] | undefined;
  seed: number;
  /** Places of a row; default: the longest document, at most 1024. */
  sequenceLength?: number | undefined;
  /** Rows of a batch; default: about 4096 places. */
  rows?: number | undefined;
}

/** Makes the batches afresh at each call. */
export type EvalData = () => AsyncIterable<PackedBatch>;

const LONGEST = 1024;
const PLACES = 4096;
const TASK = 'task:';

export async function evalData(options: EvalDataOptions, tokenizer: Tokenizer): Promise<EvalData> {
  const source = await openSource(options, tokenizer);
  const sequenceLength = options.sequenceLength ?? Math.max(1, Math.min(LONGEST, longest(source)));
  const batchSize = options.rows ?? Math.max(1, Math.floor(PLACES / sequenceLength));
  const config = loaderConfig.parse({ batchSize, sequenceLength, pack: 'whole', shuffle: false, epochs: 1 });
  return () => new PackedLoader(source, config, { padId: tokenizer.padId });
}

type Opened = Omit<DocumentSource, 'tokens'> & { tokens(index: number): TokenDocument };

async function openSource(options: EvalDataOptions, tokenizer: Tokenizer): Promise<Opened> {
  const { data } = options;
  if (data.startsWith(TASK)) return inMemory(data, tokenizer, taskDocuments(options), options.maxTokens);
  if (existsSync(join(data, MANIFEST))) {
    const shards = ShardSet.open(data, { tokenizerHash: tokenizer.hash });
    return shards;
  }
  const { documents } = openDocuments(documentSource({ ...options, input: [data] }));
  return inMemory(data, tokenizer, documents, options.maxTokens);
}

function* taskDocuments({ data, count, seed, set = [] }: EvalDataOptions): Generator<Document> {
  const config = taskConfig(data.slice(TASK.length), assigned(set));
  for (let index = 0; index < count; index++) yield documentAt(config, seed, 'heldout', index);
}

const TOGETHER = 256;

async function inMemory(
  name: string,
  tokenizer: Tokenizer,
  documents: Iterable<Document> | AsyncIterable<Document>,
  maxTokens = Number.POSITIVE_INFINITY,
): Promise<Opened> {
  const tokenized: TokenDocument[] = [];
  let waiting: Document[] = [];
  let counted = 0;
  const take = async (): Promise<void> => {
    for (const document of await tokenizeDocuments(tokenizer, waiting)) {
      tokenized.push(document);
      counted += document.loss?.subarray(1).reduce((sum, mark) => sum + mark, 0) ?? document.ids.length - 1;
    }
    waiting = [];
  };
  for await (const document of documents) {
    if (document.text !== '') waiting.push(document);
    if (waiting.length >= TOGETHER) await take();
    if (counted >= maxTokens) break;
  }
  await take();
  if (tokenized.length === 0) throw new UserError(`${name}: holds no text`);
  return { id: name, length: tokenized.length, tokens: (index) => tokenized[index]! };
}

function longest(source: Opened): number {
  let most = 0;
  for (let index = 0; index < source.length; index++) most = Math.max(most, source.tokens(index).ids.length - 1);
  return most;
}
