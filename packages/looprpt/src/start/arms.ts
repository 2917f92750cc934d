/**
 * What the first-contact job compares: a base LoopLM that ships with the package, and arms trained on from it with the same
 * documents in the same order for the same number of tokens.
 */
import { fileURLToPath } from 'node:url';
import { taskConfig } from '../data/tasks/index.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../train/run-config.js';

/** Made by recipes/hop-base.yaml; its card lies beside the weights. */
export const BASE_MODEL = fileURLToPath(new URL('../../models/hop-base', import.meta.url));

/** Multi-hop lookup: the plainest task on which depth matters, with easy and hard tokens in every document. */
export const TASK = taskConfig('hop', { compact: true, joined: true, alphabet: 10 });

export interface Arm {
  name: string;
  folder: string;
  /** What the others are judged against, besides the base. */
  isBaseline: boolean;
  objective: RunConfigInput['objective'];
  gateLearningRateScale: number;
}

/** The steps of every arm. */
export const STEPS = 300;

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

/** The run of one arm. The seed moves the documents along, so that other seeds see other ones. */
export function armConfig(
  { folder, objective, gateLearningRateScale }: Arm,
  { out, threads, seed }: ArmOptions,
): RunConfig {
  return runConfigSchema.parse({
    model: { from: BASE_MODEL },
    data: { task: TASK, taskSeed: 1 + seed },
    objective,
    out: `${out}/${folder}`,
    steps: STEPS,
    batch: { rows: 32, sequenceLength: 128, pack: 'whole' },
    optimizer: { learningRate: 1e-3, gateLearningRateScale },
    schedule: { kind: 'cosine', warmupSteps: 20, floor: 0.05 },
    checkpoint: { every: 100, keep: 1 },
    tensorboard: false,
    threads,
    seed,
  } satisfies RunConfigInput);
}
