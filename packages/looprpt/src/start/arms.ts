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

const STAGE1: Arm = {
  name: 'stage I',
  folder: 'stage1',
  isBaseline: true,
  objective: { kind: 'stage1', beta: 0.1 },
  gateLearningRateScale: 1,
};

const ALL_TOKENS: Arm = {
  name: 'LoopRPT, all-tokens',
  folder: 'looprpt-all-tokens',
  isBaseline: false,
  ...looprpt(PRESETS['all-tokens']),
};

/** Those of the generated job, for the same number of steps: LoopRPT as the paper has it and as we would use it there. */
export const TRANSFER_ARMS: readonly Arm[] = [
  { name: 'LoopRPT, paper', folder: 'looprpt-paper', isBaseline: false, ...looprpt(PRESETS.paper) },
  ALL_TOKENS,
  STAGE1,
];

/** Those of own text, for the same measured time: the presets that fit into it, and the strongest baselines. */
export const TEXT_ARMS: readonly Arm[] = [
  { name: 'LoopRPT, fast', folder: 'looprpt', isBaseline: false, ...looprpt(PRESETS.fast) },
  ALL_TOKENS,
  { name: 'tethered', folder: 'looprpt-tethered', isBaseline: false, ...looprpt(PRESETS.tethered) },
  STAGE1,
  UNIFORM_CE,
];

/** What the arms of a job share. */
export interface ArmSetting {
  model: RunConfigInput['model'];
  training: Pick<RunConfigInput, 'data' | 'batch' | 'schedule'> & {
    steps: number;
    learningRate: number;
    weightDecay?: number;
  };
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
  const { learningRate, weightDecay, ...shared } = training;
  return runConfigSchema.parse({
    ...shared,
    model,
    objective,
    ...(teacherDecay === undefined ? {} : { teacherDecay }),
    ...(blend === undefined ? {} : { blend }),
    out: `${out}/${folder}`,
    optimizer: { learningRate, gateLearningRateScale, ...(weightDecay !== undefined && { weightDecay }) },
    checkpoint: { every: 100, keep: 1 },
    tensorboard: false,
    threads,
    seed,
  } satisfies RunConfigInput);
}
