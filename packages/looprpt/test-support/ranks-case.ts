/** A small run for tests on several ranks: a model of two layers and three loops, and its configuration. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { taskConfig } from 'looprpt/internal/data/tasks/index.js';
import { run } from 'looprpt/internal/train/run.js';
import { type RunConfigInput, runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { tinyTokenizer } from './tiny-tokenizer.js';

export type Changes = Partial<RunConfigInput>;

/** @param base the model's folder */
export function ranksConfig(base: string, out: string, changes: Changes): RunConfigInput {
  return {
    model: { from: base },
    data: { task: taskConfig('hop', { compact: true, queries: 4 }), documents: 40 },
    objective: { kind: 'looprpt', rolloutCount: 2 },
    out,
    steps: 3,
    batch: { rows: 4, sequenceLength: 40, pack: 'whole' },
    checkpoint: { every: 1_000_000, background: false },
    tensorboard: false,
    threads: 1,
    seed: 5,
    ...changes,
  };
}

/** Trains the model to start from. @returns its folder */
export async function ranksBase(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-ranks-'));
  const tokenizer = (await tinyTokenizer()).dir;
  const architecture = { hiddenSize: 16, intermediateSize: 24, layers: 2, heads: 2, kvHeads: 1, loops: 3 };
  const fresh = ranksConfig('', join(folder, 'base'), {
    model: { architecture, tokenizer },
    objective: { kind: 'stage1' },
    steps: 3,
  });
  return (await run(runConfigSchema.parse(fresh), false)).model;
}
