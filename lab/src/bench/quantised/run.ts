/** Every model in every kind of numbers, on the same tokens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import { calibrationText } from 'looprpt/internal/eval/calibration-text.js';
import { heldOutBatches } from 'looprpt/internal/eval/data.js';
import { tableFromModel } from 'looprpt/internal/eval/table-from-model.js';
import { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { REPOSITORY } from '../../studies/publish.js';
import { CASES, type JudgedSplit, type QuantisedCase } from './cases.js';
import { type Measured, measured } from './measure.js';
import { FIT_PASSES, REFERENCE, WAYS, type Way } from './ways.js';

export interface QuantisedBenchOptions {
  split: JudgedSplit;
  seed: number;
  /** Documents of each model; default: its case's. */
  count?: number | undefined;
  resamples: number;
  gsm8k?: string | undefined;
  /** This model alone. */
  only?: string | undefined;
}

export interface ModelResult {
  model: string;
  data: string;
  documents: number;
  tokens: number;
  calibrationTokens: number;
  rows: Measured[];
}

export interface QuantisedResult {
  bench: 'quantised';
  settings: { split: JudgedSplit; seed: number; resamples: number; fitPasses: number };
  /** Whose arithmetic products have. */
  cpu: string | null;
  results: ModelResult[];
}

export async function benchQuantised(
  options: QuantisedBenchOptions,
  say: (line: string) => void,
): Promise<QuantisedResult> {
  const { split, seed, resamples, gsm8k, only } = options;
  const results: ModelResult[] = [];
  const work = mkdtempSync(join(tmpdir(), 'looprpt-quantised-'));
  try {
    for (const one of CASES.filter(({ model }) => only === undefined || only === model)) {
      if (one.needsGsm8k && gsm8k === undefined)
        say(`${one.model}: left out; it was trained on GSM8K, give --input gsm8k=PATH`);
      else results.push(await resultOf(one, options, work, say));
    }
  } finally {
    rmSync(work, { recursive: true });
  }
  const settings = { split, seed, resamples, fitPasses: FIT_PASSES };
  return { bench: 'quantised', settings, cpu: cpus()[0]?.model ?? null, results };
}

async function resultOf(
  { model, folder: path, data, ...one }: QuantisedCase,
  { split, seed, count, resamples, gsm8k }: QuantisedBenchOptions,
  work: string,
  say: (line: string) => void,
): Promise<ModelResult> {
  const folder = join(REPOSITORY, path);
  const tokenizer = await Tokenizer.load(folder);
  const documents = one.documents(folder, { split, seed, count: count ?? one.count, gsm8k });
  const batches = await allOf((await heldOutBatches(documents, tokenizer)).batches());
  const text = one.calibration({ seed, gsm8k });
  const { calibration, tokens: calibrationTokens } = await calibrationText(text, folder, tokenizer, {
    tokens: one.calibrationTokens,
  });
  const tabled = async ({ name, open }: Way) => {
    say(`${model}: ${name}`);
    const lm = await open({ folder, out: join(work, `${model}, ${name}`), calibration });
    try {
      return { name, table: await tableFromModel(lm, batches) };
    } finally {
      lm.dispose();
    }
  };
  const reference = await tabled(REFERENCE);
  const rows = [measured(reference, null, { resamples })];
  for (const way of WAYS) rows.push(measured(await tabled(way), reference, { resamples }));
  const { tokens, document } = reference.table;
  return { model, data, documents: new Set(document).size, tokens, calibrationTokens, rows };
}

async function allOf(batches: AsyncIterable<PackedBatch>): Promise<PackedBatch[]> {
  const kept: PackedBatch[] = [];
  for await (const batch of batches) kept.push(batch);
  return kept;
}
