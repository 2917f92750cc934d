/** The objectives that a run's configuration can name, and the one place that tells them apart. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import type { PackedBatch } from '../data/loader/batch.js';
import type { Objective, ObjectiveInputs, ObjectiveReport } from './contract.js';
import {
  type HardTokenCeConfig,
  hardTokenCeConfigSchema,
  hardTokenCeLoss,
  uniformCeConfigSchema,
  uniformCeLoss,
} from './cross-entropy.js';
import { gateConfigSchema, gateLoss } from './gate.js';
import { joinBatchStatistics } from './looprpt/advantage.js';
import { type LoopRptConfig, loopRptConfigSchema } from './looprpt/config.js';
import { hardCount, type TokenSelection } from './looprpt/hard-tokens.js';
import { RowRandomness } from './looprpt/row-randomness.js';
import { loopRptLoss } from './looprpt/step.js';
import { stage1ConfigSchema, stage1Loss } from './stage1.js';

/** A loss that a program gives to `train`; its function is not part of the configuration. */
export const customConfigSchema = z.strictObject({
  kind: z.literal('custom'),
  name: z.string().min(1).default('custom').describe('what the run calls it'),
  readsTeacher: z.boolean().default(false).describe('whether its steps read the EMA teacher'),
});

export const objectiveConfigSchema = z.discriminatedUnion('kind', [
  loopRptConfigSchema,
  stage1ConfigSchema,
  gateConfigSchema,
  uniformCeConfigSchema,
  hardTokenCeConfigSchema,
  customConfigSchema,
]);
export type ObjectiveConfig = z.infer<typeof objectiveConfigSchema>;

export function objectiveOf(config: ObjectiveConfig): Objective {
  switch (config.kind) {
    case 'looprpt':
      return loopRpt(config);
    case 'stage1':
      return onCountedPlaces(({ student, batch }) => stage1Loss(student, batch, config));
    case 'gate': {
      const objective = onCountedPlaces(({ student, batch }) => gateLoss(student, batch, config));
      return { ...objective, trains: ({ isGate }) => isGate };
    }
    case 'uniform-ce':
      return onCountedPlaces(({ student, batch }) => uniformCeLoss(student, batch, config));
    case 'hard-token-ce':
      return hardTokenCe(config);
    case 'custom': {
      const { name, readsTeacher } = config;
      return { ...onCountedPlaces(() => assert.fail(`objective ${name} was not given`)), readsTeacher };
    }
    default:
      return config satisfies never;
  }
}

/** A loss over every counted place, into all weights, without teacher or chance. */
function onCountedPlaces(loss: (inputs: ObjectiveInputs) => ObjectiveReport): Objective {
  return { readsTeacher: false, trains: () => true, lossPlaces: ({ lossTokens }) => lossTokens, loss, idle: () => {} };
}

function hardTokenCe(config: HardTokenCeConfig): Objective {
  return {
    readsTeacher: true,
    trains: () => true,
    lossPlaces: (batch) => hardPlaces(batch, config),
    loss: ({ student, teacher, batch }) => hardTokenCeLoss(student, teacher!, batch, config),
    idle: () => {},
  };
}

function loopRpt(config: LoopRptConfig): Objective {
  return {
    readsTeacher: true,
    trains: () => true,
    lossPlaces: (batch) => hardPlaces(batch, config),
    loss: ({ student, teacher, batch, rowKeys, peers }) => {
      using random = new RowRandomness(config.sigma, rowKeys, student.device);
      return loopRptLoss(student, teacher!, batch, config, random, peers);
    },
    idle: (peers) => joinBatchStatistics(config, peers),
  };
}

function hardPlaces({ B, S, lossMask }: PackedBatch, { rho }: TokenSelection): number {
  const counted = (b: number): number => lossMask.subarray(b * S, (b + 1) * S).reduce((sum, flag) => sum + flag, 0);
  return Array.from({ length: B }, (_, b) => hardCount(counted(b), rho)).reduce((sum, n) => sum + n, 0);
}
