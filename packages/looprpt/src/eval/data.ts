/**
 * The data that models are judged on, as batches that come out the same each time, so that several models can be judged on the
 * same tokens: token shards, files, a data set by name, a generated task, or documents that a program gives.
 *
 * Documents are not cut where they fit into a row, and are visited once, in order.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { explainConfigError } from '../base/settings/config-error.js';
import { UserError } from '../base/user-error.js';
import type { Document, Documents } from '../data/documents/document.js';
import { documentSourceSchema, leftOutLines, openDocuments, sourceName } from '../data/documents/source.js';
import type { PackedBatch } from '../data/loader/batch.js';
import type { DocumentSource } from '../data/loader/document-source.js';
import { loaderConfig, PackedLoader } from '../data/loader/packed-loader.js';
import { MANIFEST } from '../data/shards/manifest.js';
import { ShardSet } from '../data/shards/shard-set.js';
import { type TokenDocument, tokenizeDocuments } from '../data/shards/token-document.js';
import { type TaskConfig, taskConfig } from '../data/tasks/index.js';
import type { Tokenizer } from '../text/tokenizer.js';

/**
 * A folder of token shards; a file or folder of JSONL, Parquet or text; `task:NAME` for 500 held-out documents of a generated
 * task, or the same as an object; a document source with its settings; or the documents themselves.
 */
export type HeldOut = string | HeldOutTask | z.input<typeof documentSourceSchema> | Documents;

/** Held-out documents of a generated task, with the settings that the judged model was trained on but for those named here. */
export interface HeldOutTask {
  task: string;
  /** Settings of the task, by name. */
  set?: Readonly<Record<string, unknown>> | undefined;
  seed?: number | undefined;
  /** Documents; default 500. */
  count?: number | undefined;
  /** `tune`: documents that no held-out ones are among, to choose settings by. */
  split?: 'heldout' | 'tune' | undefined;
}

export interface HeldOutOptions {
  /** Enough documents for so many counted tokens are read; default all. */
  maxTokens?: number | undefined;
  /** Tokens of a row; default: the longest document, at most 1024. */
  sequenceLength?: number | undefined;
  /** Rows of a batch; default: about 4096 tokens, and no more rows than documents. */
  rows?: number | undefined;
}

export interface HeldOutBatches {
  /** Of the batches, and counted tokens of all of them at most. */
  shape: { rows: number; sequenceLength: number; tokens: number };
  /** Makes the batches afresh at each call. */
  batches: () => AsyncIterable<PackedBatch>;
  /** Records that could not be read and files of folders that were left out, a line each up to a number. */
  leftOut: readonly string[];
}

/** Documents of `task:NAME`. */
const TASK_DOCUMENTS = 500;
const LONGEST = 1024;
const PLACES = 4096;
const TASK = 'task:';

/** What the data are called in a result. */
export function heldOutName(data: HeldOut): string {
  if (typeof data === 'string') return data;
  if (isTask(data)) return `${TASK}${data.task}`;
  return isDocuments(data) ? 'documents' : sourceName(parsed(data));
}

/** The generated task that is asked for by name, as an object; null for other data. */
export function heldOutTask(data: HeldOut): HeldOutTask | null {
  if (typeof data === 'string') return data.startsWith(TASK) ? { task: data.slice(TASK.length) } : null;
  return isTask(data) ? data : null;
}

/** Its documents with these settings. */
export function taskSource(config: TaskConfig, { seed, count = TASK_DOCUMENTS, split = 'heldout' }: HeldOutTask) {
  return { kind: 'task', config, seed, split, count } as const;
}

function isTask(data: object): data is HeldOutTask {
  return 'task' in data && !('kind' in data);
}

/** Whether a path is a folder of token shards. */
export function isShardFolder(path: string): boolean {
  return existsSync(join(path, MANIFEST));
}

/** @throws UserError when the data cannot be read, hold no text, or were tokenised for another model */
export async function heldOutBatches(
  data: HeldOut,
  tokenizer: Tokenizer,
  options: HeldOutOptions = {},
): Promise<HeldOutBatches> {
  for (const name of ['rows', 'sequenceLength', 'maxTokens'] as const)
    if (options[name] !== undefined && !(Number.isInteger(options[name]) && options[name] >= 1))
      throw new UserError(`${name}: ${options[name]} is no whole number from 1`);
  const { source, leftOut } = await open(data, tokenizer, options.maxTokens);
  const { longest, all } = extentOf(source);
  const sequenceLength = options.sequenceLength ?? Math.max(1, Math.min(LONGEST, longest));
  // No more rows than documents: what is left of a batch is padding, which costs as much as text.
  const batchSize = options.rows ?? Math.max(1, Math.min(Math.floor(PLACES / sequenceLength), source.length));
  const config = loaderConfig.parse({ batchSize, sequenceLength, pack: 'whole', shuffle: false, epochs: 1 });
  const tokens = Math.min(all, (options.maxTokens ?? all) + batchSize * sequenceLength);
  const shape = { rows: batchSize, sequenceLength, tokens };
  return { shape, batches: () => new PackedLoader(source, config, { padId: tokenizer.padId }), leftOut };
}

/**
 * The documents themselves, as text.
 * @throws UserError when there are none to be had as text, as in shards
 */
export function heldOutDocuments(data: HeldOut): Documents {
  if (typeof data === 'string' && isShardFolder(data))
    throw new UserError(`${data}: shards hold token ids; give the text that they were made of`);
  return typeof data !== 'string' && isDocuments(data) ? data : openDocuments(parsed(sourceOf(data))).documents;
}

type Opened = Omit<DocumentSource, 'tokens'> & { tokens(index: number): TokenDocument };

async function open(
  data: HeldOut,
  tokenizer: Tokenizer,
  maxTokens: number | undefined,
): Promise<{ source: Opened; leftOut: readonly string[] }> {
  if (typeof data === 'string' && isShardFolder(data))
    return { source: ShardSet.open(data, { tokenizerHash: tokenizer.hash }), leftOut: [] };
  const inMemory = (documents: Documents): Promise<Opened> =>
    tokenized(heldOutName(data), tokenizer, documents, maxTokens);
  if (typeof data !== 'string' && isDocuments(data)) return { source: await inMemory(data), leftOut: [] };
  const { documents, broken } = openDocuments(parsed(sourceOf(data)));
  return { source: await inMemory(documents), leftOut: leftOutLines(broken) };
}

function isDocuments(data: object): data is Documents {
  return Symbol.asyncIterator in data || Symbol.iterator in data;
}

type SourceInput = z.input<typeof documentSourceSchema>;

function sourceOf(data: string | HeldOutTask | SourceInput): SourceInput {
  const task = heldOutTask(data);
  if (task !== null) return taskSource(taskConfig(task.task, task.set), task);
  return typeof data === 'string' ? { kind: 'files', paths: [data] } : (data as SourceInput);
}

function parsed(source: z.input<typeof documentSourceSchema>): z.output<typeof documentSourceSchema> {
  const checked = documentSourceSchema.safeParse(source);
  if (checked.success) return checked.data;
  throw new UserError(`data: ${explainConfigError(documentSourceSchema, source, checked.error)}`);
}

const TOGETHER = 256;

async function tokenized(
  name: string,
  tokenizer: Tokenizer,
  documents: Documents,
  maxTokens = Number.POSITIVE_INFINITY,
): Promise<Opened> {
  const made: TokenDocument[] = [];
  let waiting: Document[] = [];
  let counted = 0;
  const take = async (): Promise<void> => {
    for (const document of await tokenizeDocuments(tokenizer, waiting)) {
      made.push(document);
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
  if (made.length === 0) throw new UserError(`${name}: holds no text`);
  return { id: name, length: made.length, tokens: (index) => made[index]! };
}

/** Tokens to be predicted: of the longest document, and of all. */
function extentOf(source: Opened): { longest: number; all: number } {
  let [longest, all] = [0, 0];
  for (let index = 0; index < source.length; index++) {
    const tokens = source.tokens(index).ids.length - 1;
    longest = Math.max(longest, tokens);
    all += tokens;
  }
  return { longest, all };
}
