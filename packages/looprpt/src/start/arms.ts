/** What a first-contact job compares: ways to train on from the same base, on the same documents in the same order. */
import { PRESETS, type Preset } from '../train/presets.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from '../train/run-config.js';

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

const UNIFORM_CE: Arm = {
  name: 'uniform CE + gate',
  folder: 'uniform-ce',
  isBaseline: true,
  objective: { kind: 'uniform-ce' },
  gateLearningRateScale: 1,
};

const FAST: Arm = { name: 'LoopRPT, fast', folder: 'looprpt', isBaseline: false, ...looprpt(PRESETS.fast) };

/** Those of the generated task, for the same number of steps. */
export const HOP_ARMS: readonly Arm[] = [
  FAST,
  {
    // Steps are half as large here as in the studies that the preset's interpolation weight is from.
    name: 'tethered, blend 0.5',
    folder: 'looprpt-tethered',
    isBaseline: false,
    ...looprpt({ ...PRESETS.tethered, blend: 0.5 }),
  },
  UNIFORM_CE,
];

/** Those of own text, for the same measured time: the presets that fit into it, and the strongest baselines. */
export const TEXT_ARMS: readonly Arm[] = [
  FAST,
  { name: 'tethered', folder: 'looprpt-tethered', isBaseline: false, ...looprpt(PRESETS.tethered) },
  {
    name: 'stage I',
    folder: 'stage1',
    isBaseline: true,
    objective: { kind: 'stage1', beta: 0.1 },
    gateLearningRateScale: 1,
  },
  UNIFORM_CE,
];

/** What the arms of a job share. */
export interface ArmSetting {
  model: RunConfigInput['model'];
  training: Pick<RunConfigInput, 'data' | 'batch' | 'schedule'> & { steps: number; learningRate: number };
}

export interface ArmOptions {
  out: string;
  threads: number;
  seed: number;
}

/** The run of one arm. */
export function armConfig(
  { folder, objective, gateLearningRateScale, teacherDecay, blend }: Arm,
  { model, training }: ArmSetting,
  { out, threads, seed }: ArmOptions,
): RunConfig {
  const { learningRate, ...shared } = training;
  return runConfigSchema.parse({
    ...shared,
    model,
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
