/**
 * The plan of a job on own text: which model, in which numbers, how many steps of the base and of each arm, from a few steps of each
 * that are timed here. It is made once and kept in the job's folder, so that a second call goes on with the same one; the arms' steps
 * are settled when the base is there, which may have told of a slower machine.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MODEL_DTYPES } from '../base/dtypes.js';
import { writeWholeFile } from '../base/write-file.js';
import { parameterCount } from '../model/config.js';
import { chooseDType, type DTypeChoice } from '../train/auto-dtype.js';
import { planRun } from '../train/plan/plan.js';
import { probeStep, probeSteps, type StepTime } from '../train/plan/probe.js';
import type { RunConfig } from '../train/run-config.js';
import { modelSource } from '../train/student.js';
import type { Arm } from './arms.js';
import { armStepSeconds, chooseSize, type Measured, planSteps, SIZES, type Size, stepsAfterBase } from './budget.js';

const FILE = 'plan.json';

const planSchema = z.strictObject({
  /** Of the base; null where there is one already. */
  size: z
    .int()
    .nonnegative()
    .max(SIZES.length - 1)
    .nullable(),
  baseSteps: z.int().nonnegative(),
  armSteps: z.array(z.int().positive()),
  /** Expected of base, arms and evaluation, seconds. */
  seconds: z.number(),
  /** Of all models of the job. */
  dtype: z.enum(MODEL_DTYPES).default('float32'),
  /** What was timed; not in plans of 0.1.0. */
  timed: z
    .strictObject({ baseStep: z.number().nullable(), armSteps: z.array(z.number()), left: z.number() })
    .optional(),
  /** Whether the base has had its say. */
  isSettled: z.boolean().default(true),
});
export type TextPlan = z.infer<typeof planSchema>;

export interface TextPlanOptions {
  folder: string;
  arms: readonly Arm[];
  measured: Measured;
  /** The configuration of a base of a size; null where there is one already. */
  base: ((size: Size) => RunConfig) | null;
  /** The configuration of an arm on the base that there is, or on a fresh model of a size. */
  arm: (arm: Arm, size: Size | null) => RunConfig;
  signal: AbortSignal;
  say: (line: string) => void;
}

/** @throws the signal's reason when it came before the plan was made */
export async function textPlan(options: TextPlanOptions): Promise<TextPlan> {
  const file = join(options.folder, FILE);
  if (existsSync(file)) return planSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const plan = await made(options);
  writeWholeFile(file, JSON.stringify(plan));
  return plan;
}

async function made({ arms, measured, base, arm, signal, say }: TextPlanOptions): Promise<TextPlan> {
  const began = performance.now();
  const size = base === null ? null : await sizeFor(base, measured, arms.length + 1, signal);
  const shape = size === null ? null : SIZES[size]!;
  const { dtype, why } = await dtypeOf(base === null ? arm(arms[0]!, null) : base(shape!));
  if (dtype !== 'float32') say(`dtype ${dtype}: ${why}.`);
  const timed = async (config: RunConfig): Promise<StepTime> =>
    (await probeSteps({ ...config, dtype }, { signal })) ?? { wall: Number.NaN, cpu: Number.NaN };
  const baseTime = base === null ? null : await timed(base(shape!));
  const armTimes: StepTime[] = [];
  for (const each of arms) armTimes.push(await timed(arm(each, shape)));
  const baseStep = baseTime?.wall ?? null;
  const armSteps = armStepSeconds(armTimes, baseTime);
  signal.throwIfAborted();
  const left = measured.seconds - (performance.now() - began) / 1000;
  const steps = planSteps({ ...measured, seconds: left }, baseStep, armSteps);
  return {
    size,
    baseSteps: steps.base,
    armSteps: steps.arms,
    seconds: steps.seconds,
    dtype,
    timed: { baseStep, armSteps, left },
    isSettled: baseStep === null,
  };
}

/** As a run by itself decides it. */
async function dtypeOf(config: RunConfig): Promise<DTypeChoice> {
  const { config: model } = await modelSource(config);
  return chooseDType({ model, device: config.device, threads: config.threads });
}

/** The plan once the base is there: other steps for the arms where it took longer than measured, or less. @param baseSeconds of its training */
export function settlePlan(
  plan: TextPlan,
  { folder, measured, arms, say }: Pick<TextPlanOptions, 'folder' | 'measured' | 'arms' | 'say'>,
  baseSeconds: number,
): TextPlan {
  const { timed, baseSteps } = plan;
  if (plan.isSettled || !timed || timed.baseStep === null) return plan;
  const { slower, arms: armSteps } = stepsAfterBase(
    measured,
    { base: baseSteps, arms: plan.armSteps },
    { ...timed, baseStep: timed.baseStep },
    baseSeconds,
  );
  if (armSteps.some((steps, i) => steps !== plan.armSteps[i]))
    say(
      `The base took ${slower.toFixed(1)} times as long as measured. The arms' steps are now: ${arms.map(({ name }, i) => `${name} ${armSteps[i]}`).join(', ')}.`,
    );
  const settled = { ...plan, armSteps, isSettled: true };
  writeWholeFile(join(folder, FILE), JSON.stringify(settled));
  return settled;
}

/** By the speed of a small model: the others are as much slower as their steps have more FLOPs. */
async function sizeFor(
  base: (size: Size) => RunConfig,
  measured: Measured,
  models: number,
  signal: AbortSignal,
): Promise<number> {
  const known = await Promise.all(
    SIZES.map(async (size) => {
      const config = base(size);
      const { config: model } = await modelSource(config);
      return { weights: parameterCount(model), flops: planRun({ config, model }).flops.perStep };
    }),
  );
  const tried = Math.min(2, SIZES.length - 1);
  const seconds = await probeStep(base(SIZES[tried]!), { steps: 2, signal });
  signal.throwIfAborted();
  const predicted = known.map(({ flops }) => ((seconds ?? Number.NaN) * flops) / known[tried]!.flops);
  return chooseSize(
    measured,
    predicted,
    known.map(({ weights }) => weights),
    models,
  );
}
