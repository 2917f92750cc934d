/**
 * The baselines that LoopRPT has to beat: plain cross-entropy, the same weight for every loop.
 *
 *   L = mean_t mean_k CE^(k)  +  gateWeight · (stage II's gate loss on detached states)
 *
 * `uniform-ce` reads every counted place, `hard-token-ce` only the teacher's hard tokens. The gate is trained along as in
 * stage II, because a gate that does not follow its changing states would make the baseline needlessly weak.
 *
 * Shapes: K loops, N places that the loss reads.
 */
import type { Tensor } from '@looprpt/engine';
import { z } from 'zod';
import { exitPdf } from '../model/exit.js';
import type { LoopLM } from '../model/loop-lm.js';
import { gateLogitsByLoop, targetLogProbsByLoop } from '../model/read-out.js';
import type { TrainingBatch } from './batch.js';
import type { ObjectiveReport } from './contract.js';
import { continueLoss, continueTargetSchema } from './gate.js';
import { hardTokensOf, tokenSelectionSchema } from './looprpt/hard-tokens.js';

const gateTraining = {
  gateWeight: z
    .number()
    .nonnegative()
    .default(1)
    .describe("weight of stage II's gate loss; 0 leaves the gate as it is"),
  ...continueTargetSchema.shape,
};

export const uniformCeConfigSchema = z.strictObject({ kind: z.literal('uniform-ce'), ...gateTraining });
export type UniformCeConfig = z.infer<typeof uniformCeConfigSchema>;

export const hardTokenCeConfigSchema = z.strictObject({
  kind: z.literal('hard-token-ce'),
  ...gateTraining,
  ...tokenSelectionSchema.shape,
});
export type HardTokenCeConfig = z.infer<typeof hardTokenCeConfigSchema>;

function crossEntropyAt(
  model: LoopLM,
  batch: TrainingBatch,
  placesN: Tensor,
  targetsN: Tensor,
  config: UniformCeConfig | HardTokenCeConfig,
): ObjectiveReport {
  const statesK = model.states(batch);
  const logProbsKN = targetLogProbsByLoop(model, statesK, placesN, targetsN);
  const crossEntropy = logProbsKN.mean().neg();
  const gateKN = gateLogitsByLoop(model, statesK, placesN, true);
  const exitPdfKN = exitPdf(gateKN.detach());
  if (config.gateWeight === 0) return { loss: crossEntropy, parts: { crossEntropy: crossEntropy.detach() }, exitPdfKN };
  const gate = continueLoss(logProbsKN, gateKN, config);
  return {
    loss: crossEntropy.add(gate.mul(config.gateWeight)),
    parts: { crossEntropy: crossEntropy.detach(), gate: gate.detach() },
    exitPdfKN,
  };
}

export function uniformCeLoss(model: LoopLM, batch: TrainingBatch, config: UniformCeConfig): ObjectiveReport {
  return crossEntropyAt(model, batch, batch.countedN, batch.targetsN, config);
}

export function hardTokenCeLoss(
  model: LoopLM,
  teacher: LoopLM,
  batch: TrainingBatch,
  config: HardTokenCeConfig,
): ObjectiveReport {
  const { placesN, targetsN } = hardTokensOf(teacher, batch, config).hard;
  return crossEntropyAt(model, batch, placesN, targetsN, config);
}
