/** What a first-contact job is about: a base model, data to train its arms on, and held-out data to judge them by. */
import type { ModelDType } from '../base/dtypes.js';
import type { PackedBatch } from '../data/loader/batch.js';
import type { DocumentSource } from '../data/loader/document-source.js';
import { loaderConfig, PackedLoader } from '../data/loader/packed-loader.js';
import type { RunConfig } from '../train/run-config.js';
import type { Arm } from './arms.js';

export interface Setting {
  /** Of the report. */
  title: string;
  /** The held-out data in words. */
  dataName: string;
  /** What the reader of the report should know about base and data. */
  notes: readonly string[];
  /** The base model's folder. */
  base: string;
  /** Ways to train on from the base, in their order. */
  arms: readonly Arm[];
  /** The run of one of them. */
  config(arm: Arm): RunConfig;
  /** In which all models are judged, the base too: as the arms were trained. Default: each in its own. */
  dtype?: ModelDType;
  heldOut(): Promise<PackedBatch[]>;
}

/** At most `most` batches of whole documents, in order. */
export async function batchesOf(
  source: DocumentSource,
  shape: { batchSize: number; sequenceLength: number; pack: 'greedy' | 'whole' },
  padId: number,
  most = Number.POSITIVE_INFINITY,
): Promise<PackedBatch[]> {
  const loader = new PackedLoader(source, loaderConfig.parse({ ...shape, shuffle: false }), { padId });
  const batches: PackedBatch[] = [];
  for await (const batch of loader) {
    batches.push(batch);
    if (batches.length >= most) break;
  }
  return batches;
}
