/**
 * What the first-contact job compares: ways to train on from the same base, on the same documents in the same order for the same
 * number of tokens.
 */
import { PRESETS, type Preset } from '../train/presets.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../train/run-config.js';
import type { Setting } from './setting.js';

export interface Arm {
  name: string;
  folder: string;
  /** What the others are judged against, besides the base. */
  isBaseline: boolean;
  objective: RunConfigInput['objective'];
  gateLearningRateScale: number;
  /** Of arms with a teacher. */
  teacherDecay?: number;
  blend?: number;
}

function looprpt({
  objective,
  gateLearningRateScale,
  teacherDecay,
  blend,
}: Preset): Omit<Arm, 'name' | 'folder' | 'isBaseline'> {
  return { objective: { kind: 'looprpt', ...objective }, gateLearningRateScale, teacherDecay, blend };
}

export const ARMS: readonly Arm[] = [
  { name: 'LoopRPT, fast', folder: 'looprpt', isBaseline: false, ...looprpt(PRESETS.fast) },
  {
    // Steps are half as large here as in the studies that the preset's interpolation weight is from.
    name: 'tethered, blend 0.5',
    folder: 'looprpt-tethered',
    isBaseline: false,
    ...looprpt({ ...PRESETS.tethered, blend: 0.5 }),
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
  { folder, objective, gateLearningRateScale, teacherDecay, blend }: Arm,
  { base, training }: Setting,
  { out, threads, seed }: ArmOptions,
): RunConfig {
  const { learningRate, ...shared } = training;
  return runConfigSchema.parse({
    ...shared,
    model: { from: base },
    objective,
    ...(teacherDecay === undefined ? {} : { teacherDecay }),
    ...(blend === undefined ? {} : { blend }),
    out: `${out}/${folder}`,
    optimizer: { learningRate, gateLearningRateScale },
    checkpoint: { every: 100, keep: 1 },
    tensorboard: false,
    threads,
    seed,
  } satisfies RunConfigInput);
}
