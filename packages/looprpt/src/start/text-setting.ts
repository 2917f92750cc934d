/**
 * The same job on real text: a tokenizer and token shards from a data set known by name, and a base trained on the spot by stage I.
 * What is there already from an interrupted job is used.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type NamedSource, namedSourceSchema } from '../data/documents/named.js';
import { openDocuments } from '../data/documents/source.js';
import { prepareShards } from '../data/shards/prepare.js';
import { ShardSet } from '../data/shards/shard-set.js';
import { Tokenizer } from '../text/tokenizer.js';
import { trainTokenizer } from '../text/train-tokenizer.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../train/run-config.js';
import { batchesOf, type Setting } from './setting.js';

const SHAPE = { batchSize: 8, sequenceLength: 256, pack: 'greedy' } as const;
const BATCH = { rows: SHAPE.batchSize, sequenceLength: SHAPE.sequenceLength };
const VOCABULARY = 2048;
const BASE_STEPS = 1000;
/** Of the held-out split, 61,440 places. */
const HELD_OUT_BATCHES = 30;

export interface TextTopic {
  name: NamedSource['name'];
  /** A file of the data set or a folder with its files; without: the Hub. */
  path?: string | undefined;
}

export interface TextOptions {
  /** The job's folder. */
  folder: string;
  threads: number;
  seed: number;
  /** Trains the base and returns its model folder, null when interrupted. */
  train: (config: RunConfig) => Promise<string | null>;
}

/** @returns null when the base's training was interrupted */
export async function textSetting({ name, path }: TextTopic, options: TextOptions): Promise<Setting | null> {
  const { folder, threads, seed } = options;
  const at = (child: string): string => join(folder, child);
  const documents = (split: NamedSource['split']) =>
    openDocuments({
      kind: 'named',
      ...namedSourceSchema.parse({ name, split, ...(path === undefined ? {} : { path }) }),
    });
  if (!existsSync(at('tokenizer')))
    await trainTokenizer({ texts: textsOf(documents('train').documents), vocabSize: VOCABULARY, out: at('tokenizer') });
  const tokenizer = await Tokenizer.load(at('tokenizer'));
  for (const split of ['train', 'heldout'] as const) {
    const out = at(`${split}-shards`);
    if (existsSync(out)) continue;
    await prepareShards({ documents: documents(split).documents, tokenizer, out, source: name, split });
  }
  const base = await options.train(
    runConfigSchema.parse({
      model: {
        tokenizer: at('tokenizer'),
        architecture: { hiddenSize: 128, intermediateSize: 352, layers: 2, heads: 4, loops: 4 },
      },
      data: { shards: at('train-shards') },
      objective: { kind: 'stage1', beta: 0.1 },
      out: at('base'),
      steps: BASE_STEPS,
      epochs: null,
      batch: BATCH,
      optimizer: { learningRate: 3e-3, weightDecay: 0.1 },
      schedule: { warmupSteps: 50 },
      tensorboard: false,
      threads,
      seed,
    } satisfies RunConfigInput),
  );
  if (base === null) return null;
  return {
    title: `LoopRPT and its strongest baseline on ${name}`,
    dataName: `the held-out split of ${name}`,
    notes: [
      `The base was trained on the spot, ${BASE_STEPS} steps of stage I: far from saturation on text. Solutions count, problems do not.`,
    ],
    base,
    training: {
      data: { shards: at('train-shards') },
      batch: BATCH,
      schedule: { warmupSteps: 20 },
      steps: 200,
      learningRate: 3e-4,
    },
    heldOut: () => batchesOf(ShardSet.open(at('heldout-shards')), SHAPE, tokenizer.padId, HELD_OUT_BATCHES),
  };
}

async function* textsOf(
  documents: AsyncIterable<{ text: string }> | Iterable<{ text: string }>,
): AsyncGenerator<string> {
  for await (const { text } of documents) yield text;
}
