/**
 * One arm of a study: a way to train on from the base, and the settings to try for it. The arms themselves are in `arms.ts` and
 * `variants.ts`.
 */

import { type ObjectiveConfig, objectiveConfigSchema } from 'looprpt/internal/objectives/objective.js';
import { z } from 'zod';

/**
 * - base: is not trained; judges difficulty
 * - baseline: what a method has to beat; the best of them is the one that counts
 * - method: LoopRPT; `method-settings.ts` says what of it is the paper's
 * - ablation: the method without one part
 * - variant: changes of our own
 */
export const ROLES = ['base', 'baseline', 'method', 'ablation', 'variant'] as const;
export type Role = (typeof ROLES)[number];

export const armSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .describe('as on the command line'),
  title: z.string().describe('as in tables and figures'),
  role: z.enum(ROLES),
  objective: objectiveConfigSchema.nullable().describe('null: the base as it is'),
  learningRate: z.number().positive().optional().describe('where it is not tuned'),
  gateLearningRateScale: z.number().nonnegative().default(1),
  teacherDecay: z.number().min(0).max(1).default(0.995),
  blend: z
    .union([z.number().positive().max(1), z.literal('search')])
    .default(1)
    .describe('search: every run chooses its own on the tuning split'),
  dtype: z
    .enum(['float32', 'bfloat16'])
    .optional()
    .describe("of its weights and activations, in training and when judged; default: the base's own"),
  against: z.string().optional().describe('another arm of the study that this one is held against besides'),
  tunes: z
    .enum(['learningRate', 'blend'])
    .default('learningRate')
    .describe("what is tried: the study's learning rates, or with the largest of them its shares of `blend`"),
  grid: z
    .record(z.string(), z.array(z.union([z.number(), z.string(), z.boolean()])).min(1))
    .optional()
    .describe(
      'settings to try, all combinations: learningRate, gateLearningRateScale, teacherDecay, blend or a key of the objective; default: what `tunes` says',
    ),
});
export type Arm = z.output<typeof armSchema>;
export type ArmInput = z.input<typeof armSchema>;

/** One combination of a grid: what is changed in the arm. */
export type Trial = Readonly<Record<string, number | string | boolean>>;

/** What a study lets arms try that have no grid of their own. */
export interface CommonGrid {
  learningRates: readonly number[];
  /** Of the way from the start to the last weights; without: as many as there are rates, in even steps. */
  shares?: readonly number[] | undefined;
}

function gridOf(
  arm: Arm,
  { learningRates, shares }: CommonGrid,
): Record<string, readonly (number | string | boolean)[]> {
  if (arm.grid) return arm.grid;
  if (arm.learningRate !== undefined) return {};
  if (arm.tunes === 'learningRate') return { learningRate: learningRates };
  const even = learningRates.map((_, i) => (i + 1) / (learningRates.length + 1));
  return { learningRate: [Math.max(...learningRates)], blend: shares ?? even };
}

export function gridSize(arm: Arm, common: CommonGrid): number {
  return Object.values(gridOf(arm, common)).reduce((product, values) => product * values.length, 1);
}

/** All combinations of the arm's grid, the last key fastest; one empty trial for an arm without any, none for the base. */
export function trialsOf(arm: Arm, common: CommonGrid): Trial[] {
  if (!arm.objective) return [];
  return Object.entries(gridOf(arm, common)).reduce<Trial[]>(
    (trials, [key, values]) => trials.flatMap((trial) => values.map((value) => ({ ...trial, [key]: value }))),
    [{}],
  );
}

export interface ArmSettings {
  objective: ObjectiveConfig;
  learningRate: number;
  gateLearningRateScale: number;
  teacherDecay: number;
  /** Not there for 1: units without it keep their key. */
  blend?: number | 'search';
  /** Not there for the base's own, likewise. */
  dtype?: 'float32' | 'bfloat16';
}

/** @throws if a key of the trial is no setting of the arm's objective, or no learning rate is known */
export function settingsOf(arm: Arm, trial: Trial): ArmSettings {
  const { learningRate, gateLearningRateScale, teacherDecay, blend, ...objective } = trial;
  const number = z.number();
  const share = z.union([number, z.literal('search')]).parse(blend ?? arm.blend);
  return {
    objective: objectiveConfigSchema.parse({ ...arm.objective, ...objective }),
    learningRate: number.positive().parse(learningRate ?? arm.learningRate),
    gateLearningRateScale: number.parse(gateLearningRateScale ?? arm.gateLearningRateScale),
    teacherDecay: number.parse(teacherDecay ?? arm.teacherDecay),
    ...(share === 1 ? {} : { blend: share }),
    ...(arm.dtype && { dtype: arm.dtype }),
  };
}

/** `learningRate 0.001, rho 0.5`; empty for an arm without a grid. */
export function describeTrial(trial: Trial): string {
  return Object.entries(trial)
    .map(([key, value]) => `${key} ${value}`)
    .join(', ');
}
