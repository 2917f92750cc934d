/**
 * Real text as a corpus: data sets known by name from files that the user gives. A twentieth of the training documents, chosen by a hash
 * of their text, is kept for tuning and never trained on.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from 'looprpt/internal/base/user-error.js';
import type { Document } from 'looprpt/internal/data/documents/document.js';
import { namedSourceSchema } from 'looprpt/internal/data/documents/named.js';
import { openDocuments } from 'looprpt/internal/data/documents/source.js';
import { prepareShards } from 'looprpt/internal/data/shards/prepare.js';
import { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { trainTokenizer } from 'looprpt/internal/text/train-tokenizer.js';
import type { CorpusOptions, Inputs, ReadyCorpus, TextName } from './ready-corpus.js';
import type { Store } from './store.js';
import type { Corpus } from './study.js';

type TextCorpus = Extract<Corpus, { kind: 'text' }>;
type Part = 'train' | 'tune' | 'heldout';

/** The data sets that the user must give for a corpus, each once. */
export function textsOf(corpus: Corpus): TextName[] {
  if (corpus.kind !== 'text') return [];
  return [...new Set([...corpus.base, ...corpus.training, ...corpus.heldOut, ...(corpus.general ?? [])])];
}

export async function prepareText(store: Store, corpus: TextCorpus, options: CorpusOptions): Promise<ReadyCorpus> {
  const { base, training, heldOut, general, vocabulary, heldOutBatches } = corpus;
  const { inputs } = options;
  for (const name of textsOf(corpus)) requireInput(inputs, name);
  const read = async (names: readonly TextName[], part: Part): Promise<Text> => textOf(inputs, names, part);
  const forBases = await read(base, 'train');
  const tokenizer = options.tokenizer ?? (await textTokenizer(store, forBases, vocabulary));
  const loaded = await Tokenizer.load(options.tokenizer ?? store.path(tokenizer));
  const shards = (text: Text, part: Part): Promise<string> => textShards(store, text, part, loaded);
  const baseShards = await shards(forBases, 'train');
  const armShards = await shards(await read(training, 'train'), 'train');
  const judges = {
    tune: await shards(await read(heldOut, 'tune'), 'tune'),
    heldout: await shards(await read(heldOut, 'heldout'), 'heldout'),
  };
  const generalShards = general && (await shards(await read(general, 'heldout'), 'heldout'));
  return {
    tokenizer,
    baseData: () => ({ shards: baseShards }),
    trainingData: () => ({ shards: armShards }),
    heldOut: (judge) => ({ shards: judges[judge], batches: heldOutBatches }),
    ...(generalShards !== undefined && { general: { shards: generalShards, batches: heldOutBatches } }),
  };
}

function requireInput(inputs: Inputs, name: TextName): void {
  const path = inputs[name];
  if (path === undefined)
    throw new UserError(`this study needs the data set ${name}: give its file or folder with --input ${name}=PATH`);
  if (!existsSync(path)) throw new UserError(`--input ${name}=${path}: no such file or folder`);
}

/** Documents, and a digest of their text. */
interface Text {
  names: readonly TextName[];
  documents: Document[];
  digest: string;
}

async function textOf(inputs: Inputs, names: readonly TextName[], part: Part): Promise<Text> {
  const hash = createHash('sha256');
  const documents: Document[] = [];
  const wanted = { train: { part: 'rest' }, tune: { part: 'tune' }, heldout: { split: 'heldout' } }[part];
  for (const name of names) {
    const settings = namedSourceSchema.parse({ name, ...wanted, path: inputs[name]! });
    for await (const document of openDocuments({ kind: 'named', ...settings }).documents) {
      documents.push(document);
      hash.update(JSON.stringify([document.text, document.loss]));
    }
  }
  return { names, documents, digest: hash.digest('hex').slice(0, 16) };
}

async function textTokenizer(store: Store, { documents, digest }: Text, vocabSize: number): Promise<string> {
  const folder = join('tokenizers', `${digest}-${vocabSize}`);
  const out = store.path(folder);
  if (!existsSync(out)) await trainTokenizer({ texts: documents.map(({ text }) => text), vocabSize, out });
  return folder;
}

async function textShards(store: Store, text: Text, part: Part, tokenizer: Tokenizer): Promise<string> {
  const { names, documents, digest } = text;
  const folder = join('shards', `${digest}-${tokenizer.hash.slice(0, 16)}`);
  const out = store.path(folder);
  if (!existsSync(out))
    await prepareShards({
      // As when the tables were made.
      longDocuments: 'in order',
      documents,
      tokenizer,
      out,
      source: names.join(' and '),
      split: part,
    });
  return folder;
}
