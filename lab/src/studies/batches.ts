/**
 * The batches that units read, kept in memory so that the arms of a seed share the work of making them. Which batches they are depends
 * on the data, its order and the batch's shape alone, never on the arm.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import { loaderConfig, type PackedLoader } from 'looprpt/internal/data/loader/packed-loader.js';
import { TokenizedTaskSource } from 'looprpt/internal/data/loader/tokenized-source.js';
import { ShardSet } from 'looprpt/internal/data/shards/shard-set.js';
import { documentAt } from 'looprpt/internal/data/tasks/index.js';
import { batchesOf } from 'looprpt/internal/start/setting.js';
import type { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { type RunConfig, runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { openRunData } from 'looprpt/internal/train/run-data.js';
import type { Recipe, UnitData, UnitHeldOut } from './unit.js';

/** Steps between two digests of the batches so far. */
export const ORDER_EVERY = 25;

/** An endless run of training batches; those made once are kept. */
export class BatchStream {
  readonly #made: PackedBatch[] = [];

  constructor(private readonly loader: PackedLoader) {}

  /** Batch `index` from 0. */
  async at(index: number): Promise<PackedBatch> {
    while (this.#made.length <= index) {
      const batch = await this.loader.next();
      assert(batch, 'the training data has no end');
      this.#made.push(batch);
    }
    return this.#made[index]!;
  }

  /** All of them from the first on, each as the one micro-batch of a step. */
  async *batches(): AsyncGenerator<[PackedBatch], void, undefined> {
    for (let index = 0; ; index++) yield [await this.at(index)];
  }
}

/** The data of a run, whose paths are relative to a folder. */
export function dataIn(folder: string, data: UnitData): UnitData {
  return 'shards' in data ? { shards: join(folder, data.shards) } : data;
}

export function trainingStream(
  folder: string,
  { data, recipe, seed }: { data: UnitData; recipe: Pick<Recipe, 'batch'>; seed: number },
  tokenizer: Tokenizer,
): BatchStream {
  // Everything of a run that decides its batches; the rest is what the schema wants.
  const config: RunConfig = runConfigSchema.parse({
    model: { from: folder },
    objective: { kind: 'stage1' },
    out: folder,
    steps: 1,
    data: dataIn(folder, data),
    batch: recipe.batch,
    seed,
  });
  return new BatchStream(openRunData(config, tokenizer));
}

/** Documents of whole batches, in order. */
export function heldOutBatches(
  folder: string,
  heldOut: UnitHeldOut,
  { rows, sequenceLength, pack }: Recipe['batch'],
  tokenizer: Tokenizer,
): Promise<PackedBatch[]> {
  const shape = loaderConfig
    .pick({ batchSize: true, sequenceLength: true, pack: true })
    .parse({ batchSize: rows, sequenceLength, pack });
  if ('shards' in heldOut) {
    const source = ShardSet.open(join(folder, heldOut.shards), { tokenizerHash: tokenizer.hash });
    return batchesOf(source, shape, tokenizer.padId, heldOut.batches);
  }
  const { task, split, documents, from = 0 } = heldOut;
  const source = new TokenizedTaskSource({
    id: `the ${split} split`,
    documentAt: (index) => documentAt(task, 0, split, from + index),
    tokenizer,
    length: documents,
  });
  return batchesOf(source, shape, tokenizer.padId);
}

/** Digests everything in batches that a model can see or is judged by, as they come. */
export class OrderDigest {
  readonly #hash = createHash('sha256');

  add({ inputIds, targetIds, segmentIds, positionIds, lossMask }: PackedBatch): this {
    for (const array of [inputIds, targetIds, segmentIds, positionIds, lossMask]) this.#hash.update(array);
    return this;
  }

  /** Of all batches so far. */
  get value(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }
}

export function digestOf(batches: readonly PackedBatch[]): string {
  return batches.reduce((order, batch) => order.add(batch), new OrderDigest()).value;
}

/** The share of places whose target counts in the loss, over the first batches. */
export async function lossShareOf(stream: BatchStream, batches = 8): Promise<number> {
  let counted = 0;
  let places = 0;
  for (let i = 0; i < batches; i++) {
    const { B, S, lossTokens } = await stream.at(i);
    counted += lossTokens;
    places += B * S;
  }
  return counted / places;
}
