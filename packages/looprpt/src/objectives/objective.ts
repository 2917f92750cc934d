/** The objectives that a run can have, and the one place that tells them apart. */
import { z } from 'zod';
import type { PackedBatch } from '../data/loader/batch.js';
import type { LoopLM } from '../model/loop-lm.js';
import type { NamedParameter } from '../model/weights.js';
import type { TrainingBatch } from './batch.js';
import { hardTokenCeConfigSchema, hardTokenCeLoss, uniformCeConfigSchema, uniformCeLoss } from './cross-entropy.js';
import { gateConfigSchema, gateLoss } from './gate.js';
import { joinBatchStatistics } from './looprpt/advantage.js';
import { loopRptConfigSchema } from './looprpt/config.js';
import { hardCount } from './looprpt/hard-tokens.js';
import type { Randomness } from './looprpt/randomness.js';
import { loopRptLoss } from './looprpt/step.js';
import type { Peers } from './peers.js';
import type { ObjectiveReport } from './report.js';
import { stage1ConfigSchema, stage1Loss } from './stage1.js';

export const objectiveConfigSchema = z.discriminatedUnion('kind', [
  loopRptConfigSchema,
  stage1ConfigSchema,
  gateConfigSchema,
  uniformCeConfigSchema,
  hardTokenCeConfigSchema,
]);
export type ObjectiveConfig = z.infer<typeof objectiveConfigSchema>;

/** Whether a step reads a teacher. */
export function needsTeacher({ kind }: ObjectiveConfig): boolean {
  return kind === 'looprpt' || kind === 'hard-token-ce';
}

/** How many places of a batch the loss is a mean over: the weight of the batch in a step of several. */
export function lossPlaces(config: ObjectiveConfig, { B, S, lossMask, lossTokens }: PackedBatch): number {
  if (!('rho' in config)) return lossTokens;
  let places = 0;
  for (let b = 0; b < B; b++)
    places += hardCount(
      lossMask.subarray(b * S, (b + 1) * S).reduce((sum, flag) => sum + flag, 0),
      config.rho,
    );
  return places;
}

/** What a rank without such places does while the others compute the loss. */
export function idleInLoss(config: ObjectiveConfig, peers: Peers): void {
  if (config.kind === 'looprpt') joinBatchStatistics(config, peers);
}

/** Which weights the objective trains. */
export function trains({ kind }: ObjectiveConfig, { isGate }: NamedParameter): boolean {
  return kind === 'gate' ? isGate : true;
}

export interface ObjectiveInputs {
  student: LoopLM;
  /** Only where `needsTeacher`; may be the student itself. */
  teacher: LoopLM | null;
  batch: TrainingBatch;
  random: Randomness;
  /** The other ranks of a data-parallel step; alone unless told. */
  peers?: Peers;
}

/** The loss of one batch. All tensors it makes belong to the caller's scope. */
export function objectiveLoss(
  config: ObjectiveConfig,
  { student, teacher, batch, random, peers }: ObjectiveInputs,
): ObjectiveReport {
  switch (config.kind) {
    case 'looprpt':
      return loopRptLoss(student, teacher!, batch, config, random, peers);
    case 'stage1':
      return stage1Loss(student, batch, config);
    case 'gate':
      return gateLoss(student, batch, config);
    case 'uniform-ce':
      return uniformCeLoss(student, batch, config);
    case 'hard-token-ce':
      return hardTokenCeLoss(student, teacher!, batch, config);
    default:
      return config satisfies never;
  }
}
