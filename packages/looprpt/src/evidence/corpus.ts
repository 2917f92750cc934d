/**
 * The corpus of a study made ready: a tokenizer and, for real text, token shards, in the folder of the work. Says which data the bases
 * and arms of a seed read and what they are judged on, as units name them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { generatedDocuments, type TaskConfig } from '../data/tasks/index.js';
import { trainTokenizer } from '../text/train-tokenizer.js';
import type { Store } from './store.js';
import type { Corpus } from './study.js';
import { type Inputs, prepareText } from './text-corpus.js';
import { digest, type UnitData, type UnitHeldOut } from './unit.js';

/** `heldout` is reported; `tune` is what settings are chosen by. */
export type Judge = 'heldout' | 'tune';

export interface ReadyCorpus {
  /** The tokenizer's folder, relative to the folder of the work where it was trained for the study. */
  tokenizer: string;
  baseData(seed: number): UnitData;
  trainingData(seed: number): UnitData;
  heldOut(judge: Judge): UnitHeldOut;
}

/** The arms' documents are none of the base's: their seeds lie apart. */
const ARM_SEEDS = 1_000_000;
const TOKENIZER_DOCUMENTS = 2000;

export interface CorpusOptions {
  inputs: Inputs;
  /** The folder of a tokenizer that is there already; null: one is trained. */
  tokenizer: string | null;
}

/** @throws UserError when a data set that the corpus needs was not given */
export async function prepareCorpus(store: Store, corpus: Corpus, options: CorpusOptions): Promise<ReadyCorpus> {
  if (corpus.kind === 'text') return prepareText(store, corpus, options);
  const { task, vocabulary, documents, heldOut, heldOutFrom, tuning = heldOut } = corpus;
  const tokenizer = options.tokenizer ?? (await taskTokenizer(store, task, vocabulary));
  return {
    tokenizer,
    baseData: (seed) => ({ task, taskSeed: seed, split: 'train' }),
    trainingData: (seed) => ({
      task,
      taskSeed: ARM_SEEDS + seed,
      split: 'train',
      ...(documents === undefined ? {} : { documents }),
    }),
    heldOut: (split) =>
      split === 'tune'
        ? { task, split, documents: tuning }
        : { task, split, documents: heldOut, ...(heldOutFrom === 0 ? {} : { from: heldOutFrom }) },
  };
}

async function taskTokenizer(store: Store, task: TaskConfig, vocabSize: number): Promise<string> {
  const folder = join('tokenizers', digest(JSON.stringify([task, vocabSize])));
  if (existsSync(store.path(folder))) return folder;
  const documents = generatedDocuments(task, { seed: 0, split: 'train', count: TOKENIZER_DOCUMENTS });
  const texts = Array.from(documents, ({ text }) => text);
  await trainTokenizer({ texts, vocabSize, out: store.path(folder) });
  return folder;
}
