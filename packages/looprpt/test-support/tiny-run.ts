/** The smallest training run with everything in it, for tests of runs. Never imported by the product. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { taskConfig } from 'looprpt/internal/data/tasks/index.js';
import { run } from 'looprpt/internal/train/run.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { listCheckpoints, type RunState } from 'looprpt/internal/train/state/run-state.js';
import { expect } from 'vitest';
import { differences } from './compare-runs.js';
import { tinyTokenizer } from './tiny-tokenizer.js';

export const TINY_TASK = taskConfig('hop', { compact: true, queries: 4 });
export const TINY_BATCH = { rows: 3, sequenceLength: 40, pack: 'whole' } as const;

export interface TinyRun {
  /** The model that runs start from. */
  base: string;
  tokenizer: string;
  /** Six LoopRPT steps with rollouts, a checkpoint every second. */
  config: (out: string, changes?: Partial<RunConfigInput>) => RunConfig;
}

/** Makes the model once for a test file. */
export async function tinyRun(): Promise<TinyRun> {
  const folder = mkdtempSync(join(tmpdir(), 'looprpt-run-'));
  const tokenizer = (await tinyTokenizer()).dir;
  const config = (from: string, out: string, changes: Partial<RunConfigInput>): RunConfig =>
    runConfigSchema.parse({
      model: { from },
      data: { task: TINY_TASK, documents: 17 },
      objective: { kind: 'looprpt', rolloutCount: 2 },
      out,
      steps: 6,
      batch: TINY_BATCH,
      checkpoint: { every: 2, keep: 10 },
      tensorboard: false,
      threads: 1,
      seed: 5,
      ...changes,
    } satisfies RunConfigInput);
  const fresh = config('replaced', join(folder, 'base'), {
    model: {
      architecture: { hiddenSize: 16, intermediateSize: 24, layers: 2, heads: 2, kvHeads: 1, loops: 3 },
      tokenizer,
    },
    objective: { kind: 'stage1' },
    steps: 3,
  });
  const { model: base } = await run(fresh, false);
  return { base, tokenizer, config: (out, changes = {}) => config(base, out, changes) };
}

/** The steps of a run's checkpoints, newest first. */
export function keptSteps(out: string): number[] {
  return listCheckpoints(out).map(({ step }) => step);
}

/** `trainer.json` of a checkpoint. */
export function storedState(out: string, step: number): RunState {
  return JSON.parse(readFileSync(join(out, `checkpoints/step-${step}/trainer.json`), 'utf8')) as RunState;
}

/** Two runs ended the same, bit for bit, clocks apart. */
export function expectSameEnd(expected: string, actual: string): void {
  expect(differences(expected, actual)).toEqual([]);
}
