/**
 * What is tortured: a small real training run, LoopRPT with rollouts, in which every kind of chance matters. It starts from the base
 * that ships with the package and is run by the command line, as a user would.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOP_BASE } from 'looprpt/internal/checkpoint/shipped.js';
import { taskConfig } from 'looprpt/internal/data/tasks/index.js';
import type { RunConfigInput } from 'looprpt/internal/train/run-config.js';

export const STEPS = 30;

/** Two runs, so that float32 masters and averages of half precision are part of it. */
export const VARIANTS = [
  { name: 'float32', dtype: 'float32', objective: { kind: 'looprpt', rolloutCount: 2 } },
  {
    name: 'bfloat16',
    dtype: 'bfloat16',
    objective: { kind: 'looprpt', rolloutCount: 2, rollouts: 'full', policyGradient: 'backbone' },
  },
] as const satisfies readonly {
  name: string;
  dtype: RunConfigInput['dtype'];
  objective: RunConfigInput['objective'];
}[];
export type Variant = (typeof VARIANTS)[number];

/** Of one checkpoint in float32, roughly: weights, teacher and two moments of 103,000 numbers. */
export const CHECKPOINT_BYTES = 1.7e6;

/** A run folder that is to be, and the file that describes it. */
export interface Setting {
  out: string;
  configFile: string;
}

/** Writes `folder`/NAME.json for a run in `folder`/NAME. */
export function prepareRun(folder: string, name: string, { dtype, objective }: Variant, seed: number): Setting {
  const out = join(folder, name);
  const config: RunConfigInput = {
    model: { from: HOP_BASE },
    data: { task: taskConfig('hop', { compact: true, joined: true, alphabet: 10 }), documents: 50 },
    dtype,
    objective,
    out,
    seed,
    steps: STEPS,
    batch: { rows: 2, sequenceLength: 64, pack: 'greedy' },
    checkpoint: { every: 2, keep: 2, keepEvery: 5, keepBest: { metric: 'loss' } },
    device: 'cpu',
    threads: 1,
  };
  mkdirSync(folder, { recursive: true });
  const configFile = join(folder, `${name}.json`);
  writeFileSync(configFile, JSON.stringify(config, null, 2));
  return { out, configFile };
}
