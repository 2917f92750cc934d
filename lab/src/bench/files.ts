/** The files that make both sides of the benchmark work on the same numbers: one random model, one series of batches. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Generator } from '@looprpt/engine';
import { Rng } from 'looprpt/internal/base/rng.js';
import { saveModel } from 'looprpt/internal/checkpoint/save-model.js';
import { BatchRow, emptyBatch, type PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import type { WorkerArguments } from './arguments.js';
import { type BatchShape, modelConfig } from './cases.js';

/** Batches in the file; after the last one the first comes again. */
const STEPS = 16;

type Prepared = Pick<WorkerArguments, 'model' | 'shape' | 'files'>;

/** Writes both files. */
export async function prepareFiles({ model, shape, files }: Prepared): Promise<void> {
  const random = LoopLM.create(modelConfig({ name: '', ...model }), new Generator(1));
  await saveModel(random, files.model);
  random.dispose();
  writeTokens(files.tokens, model.vocab, shape);
}

/** Writes random batches. */
export function writeTokens(path: string, vocab: number, { B, T }: BatchShape): void {
  const rng = Rng.fromSeed(1);
  writeFileSync(
    path,
    Int32Array.from({ length: STEPS * B * (T + 1) }, () => rng.below(vocab)),
  );
}

/** The batches of a token file, in which every place counts. */
export function readBatches(path: string, { B, T }: BatchShape): PackedBatch[] {
  const bytes = readFileSync(path);
  const ids = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const rows = ids.length / (T + 1);
  return Array.from({ length: rows / B }, (_, step) => {
    const batch = emptyBatch(B, T);
    for (let b = 0; b < B; b++) {
      const from = (step * B + b) * (T + 1);
      new BatchRow(batch, b).place({ ids: ids.subarray(from, from + T + 1), loss: null }, 0, T, b);
    }
    return batch;
  });
}
