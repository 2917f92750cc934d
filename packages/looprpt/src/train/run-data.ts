/** The data of a run: from its configuration to a loader with a position, and a guard over what comes out of it. */

import { UserError } from '../base/user-error.js';
import type { Documents } from '../data/documents/document.js';
import type { PackedBatch } from '../data/loader/batch.js';
import type { DocumentSource } from '../data/loader/document-source.js';
import { givenDocuments } from '../data/loader/given-documents.js';
import { loaderConfig, PackedLoader } from '../data/loader/packed-loader.js';
import { TokenizedTaskSource } from '../data/loader/tokenized-source.js';
import { ShardSet } from '../data/shards/shard-set.js';
import { documentAt } from '../data/tasks/index.js';
import { ALONE, type Peers } from '../objectives/peers.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { RunConfig } from './run-config.js';

export interface RunDataOptions {
  /** Documents of a program. */
  given?: Documents | undefined;
  /** Told what is odd about the data. */
  onMessage?: ((message: string) => void) | undefined;
}

function documentSource(
  { data, epochs, batch }: RunConfig,
  tokenizer: Tokenizer,
  { given, onMessage }: RunDataOptions,
): DocumentSource {
  if ('given' in data) {
    if (given === undefined)
      throw new UserError(`data ${data.given}: are documents of the program that trained; train with that program`);
    if (epochs !== null && !Array.isArray(given))
      throw new UserError('epochs: a stream of documents is read once; leave epochs out, or give a list of documents');
    return givenDocuments(given, data.given, tokenizer);
  }
  if ('shards' in data) {
    const shards = ShardSet.open(data.shards, { tokenizerHash: tokenizer.hash });
    if (shards.readsInOrder(batch.sequenceLength))
      onMessage?.(
        `${data.shards}: documents longer than a row are read on to their ends, one after the other; prepare the data anew for another run, and their pieces are shuffled with all others`,
      );
    return shards;
  }
  const { task, documents, taskSeed, split } = data;
  return new TokenizedTaskSource({
    id: JSON.stringify({ task, taskSeed, split, documents }),
    documentAt: (index) => documentAt(task, taskSeed, split, index),
    tokenizer,
    length: documents,
  });
}

/** The loader of this process's rows at the start of the run's data. @throws UserError if the rows do not divide by the ranks */
export function openRunData(
  config: RunConfig,
  tokenizer: Tokenizer,
  { rank, size }: Peers = ALONE,
  options: RunDataOptions = {},
): PackedLoader {
  const { batch, epochs, seed } = config;
  if (batch.rows % size !== 0)
    throw new UserError(
      `batch.rows: ${batch.rows} rows do not divide by ${size} processes; give a multiple of ${size} (a micro-batch's rows are those of all processes together)`,
    );
  return new PackedLoader(
    documentSource(config, tokenizer, options),
    loaderConfig.parse({
      batchSize: batch.rows / size,
      sequenceLength: batch.sequenceLength,
      pack: batch.pack,
      epochs,
      seed,
    }),
    { padId: tokenizer.padId, rank, worldSize: size },
  );
}

/** The micro-batches of one step after the other, until the data end; the last step may have fewer. */
export async function* runBatches(
  loader: PackedLoader,
  config: RunConfig,
  vocabSize: number,
): AsyncGenerator<PackedBatch[], void, undefined> {
  while (true) {
    const batches: PackedBatch[] = [];
    while (batches.length < config.batch.accumulate) {
      const batch = await loader.next();
      if (batch === null) break;
      guard(batch, config, vocabSize);
      batches.push(batch);
    }
    if (batches.length === 0) return;
    yield batches;
  }
}

/** Files are checked when they are opened; this catches what happens to them later, and tokenizers larger than the model. */
function guard({ inputIds, targetIds, S }: PackedBatch, { data }: RunConfig, vocabSize: number): void {
  for (const ids of [inputIds, targetIds]) {
    const at = ids.findIndex((id) => id < 0 || id >= vocabSize);
    if (at < 0) continue;
    const source = 'shards' in data ? data.shards : 'given' in data ? data.given : data.task.task;
    throw new UserError(
      `${source}: token id ${ids[at]} (row ${Math.floor(at / S) + 1}, place ${(at % S) + 1} of a batch) is outside the model's vocabulary of ${vocabSize}; the data are damaged or of another tokenizer, prepare them again`,
    );
  }
}
