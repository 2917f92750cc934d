/**
 * The plan of a job on own text: which model, how many steps of the base and of each arm, from a few steps of each that are timed here.
 * It is made once and kept in the job's folder, so that a second call goes on with the same one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWholeFile } from '../base/write-file.js';
import { parameterCount } from '../model/config.js';
import { planRun } from '../train/plan/plan.js';
import { probeStep } from '../train/plan/probe.js';
import type { RunConfig } from '../train/run-config.js';
import { modelSource } from '../train/student.js';
import type { Arm } from './arms.js';
import { chooseSize, type Measured, planSteps, SIZES, type Size } from './budget.js';

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
}

/** @returns null when the signal came before it was made */
export async function textPlan(options: TextPlanOptions): Promise<TextPlan | null> {
  const file = join(options.folder, FILE);
  if (existsSync(file)) return planSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const plan = await made(options);
  if (plan !== null) writeWholeFile(file, JSON.stringify(plan));
  return plan;
}

async function made({ arms, measured, base, arm, signal }: TextPlanOptions): Promise<TextPlan | null> {
  const began = performance.now();
  const size = base === null ? null : await sizeFor(base, measured, arms.length + 1, signal);
  if (Number.isNaN(size)) return null;
  const shape = size === null ? null : SIZES[size]!;
  const baseStep = base === null ? null : await probeStep(base(shape!), { signal });
  const armSteps: number[] = [];
  for (const each of arms) armSteps.push((await probeStep(arm(each, shape), { signal })) ?? Number.NaN);
  if (signal.aborted) return null;
  const seconds = measured.seconds - (performance.now() - began) / 1000;
  const steps = planSteps({ ...measured, seconds }, baseStep, armSteps);
  return { size, baseSteps: steps.base, armSteps: steps.arms, seconds: steps.seconds };
}

/** By the speed of a small model: the others are as much slower as their steps have more FLOPs. NaN when the signal came. */
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
  if (seconds === null) return Number.NaN;
  const predicted = known.map(({ flops }) => (seconds * flops) / known[tried]!.flops);
  return chooseSize(
    measured,
    predicted,
    known.map(({ weights }) => weights),
    models,
  );
}
