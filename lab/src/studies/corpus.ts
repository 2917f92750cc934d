/**
 * The corpus of a study made ready: a tokenizer and, for real text, token shards, in the folder of the work. Says which data the bases
 * and arms of a seed read and what they are judged on, as units name them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { generatedDocuments, type TaskConfig } from 'looprpt/internal/data/tasks/index.js';
import { trainTokenizer } from 'looprpt/internal/text/train-tokenizer.js';
import type { CorpusOptions, ReadyCorpus } from './ready-corpus.js';
import type { Store } from './store.js';
import type { Corpus } from './study.js';
import { prepareText } from './text-corpus.js';
import { digest } from './unit.js';

/** The arms' documents are none of the base's: their seeds lie apart. */
const ARM_SEEDS = 1_000_000;
const TOKENIZER_DOCUMENTS = 2000;

/** @throws UserError when a data set that the corpus needs was not given */
export async function prepareCorpus(store: Store, corpus: Corpus, options: CorpusOptions): Promise<ReadyCorpus> {
  if (corpus.kind === 'text') return prepareText(store, corpus, options);
  const { task, vocabulary, documents, heldOut, heldOutFrom, tuning = heldOut, baseTask } = corpus;
  const tokenizer = options.tokenizer ?? (await taskTokenizer(store, task, vocabulary));
  return {
    tokenizer,
    baseData: (seed) => ({ task: baseTask ?? task, taskSeed: seed, split: 'train' }),
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
    ...(baseTask && { general: { task: baseTask, split: 'heldout', documents: heldOut } }),
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
