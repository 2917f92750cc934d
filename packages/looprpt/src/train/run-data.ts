/** The data of a run: from its configuration to a loader with a position. */

import type { DocumentSource } from '../data/loader/document-source.js';
import { loaderConfig, PackedLoader } from '../data/loader/packed-loader.js';
import { TokenizedTaskSource } from '../data/loader/tokenized-source.js';
import { ShardSet } from '../data/shards/shard-set.js';
import { documentAt } from '../data/tasks/index.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { RunConfig } from './run-config.js';

function documentSource({ data }: RunConfig, tokenizer: Tokenizer): DocumentSource {
  if ('shards' in data) return ShardSet.open(data.shards, { tokenizerHash: tokenizer.hash });
  const { task, documents, taskSeed, split } = data;
  return new TokenizedTaskSource({
    id: JSON.stringify({ task, taskSeed, split, documents }),
    documentAt: (index) => documentAt(task, taskSeed, split, index),
    tokenizer,
    length: documents,
  });
}

/** The loader at the start of the run's data. */
export function openRunData(config: RunConfig, tokenizer: Tokenizer): PackedLoader {
  const { batch, epochs, seed } = config;
  return new PackedLoader(
    documentSource(config, tokenizer),
    loaderConfig.parse({
      batchSize: batch.rows,
      sequenceLength: batch.sequenceLength,
      pack: batch.pack,
      epochs,
      seed,
    }),
    { padId: tokenizer.padId },
  );
}
