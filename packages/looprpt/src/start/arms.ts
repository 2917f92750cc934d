/**
 * What the first-contact job compares: ways to train on from the same base, on the same documents in the same order for the same
 * number of tokens.
 */
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../train/run-config.js';
import type { Setting } from './setting.js';

export interface Arm {
  name: string;
  folder: string;
  /** What the others are judged against, besides the base. */
  isBaseline: boolean;
  objective: RunConfigInput['objective'];
  gateLearningRateScale: number;
}

export const ARMS: readonly Arm[] = [
  {
    name: 'LoopRPT as written',
    folder: 'looprpt',
    isBaseline: false,
    objective: { kind: 'looprpt' },
    gateLearningRateScale: 0.5,
  },
  {
    // Every token instead of the hard ones, advantages over the batch, and the policy gradient in closed form.
    name: 'LoopRPT, all tokens',
    folder: 'looprpt-all-tokens',
    isBaseline: false,
    objective: { kind: 'looprpt', rho: 1, policy: 'closed', advantage: 'batch', lambdaBase: 0.1 },
    gateLearningRateScale: 0.5,
  },
  {
    name: 'uniform CE + gate',
    folder: 'uniform-ce',
    isBaseline: true,
    objective: { kind: 'uniform-ce' },
    gateLearningRateScale: 1,
  },
];

export interface ArmOptions {
  out: string;
  threads: number;
  seed: number;
}

/** The run of one arm. */
export function armConfig(
  { folder, objective, gateLearningRateScale }: Arm,
  { base, training }: Setting,
  { out, threads, seed }: ArmOptions,
): RunConfig {
  const { learningRate, ...shared } = training;
  return runConfigSchema.parse({
    ...shared,
    model: { from: base },
    objective,
    out: `${out}/${folder}`,
    optimizer: { learningRate, gateLearningRateScale },
    checkpoint: { every: 100, keep: 1 },
    tensorboard: false,
    threads,
    seed,
  } satisfies RunConfigInput);
}
