/**
 * Ouro's stage I: the expected cross-entropy under the exit distribution, kept from collapsing by its entropy.
 *
 *   L = mean_t [ Σ_k π(k) CE^(k) − β H(π) ]
 *
 * Shapes: K loops, N counted places.
 */
import { z } from 'zod';
import { exitEntropy, exitLogPdf } from '../model/exit.js';
import type { LoopLM } from '../model/loop-lm.js';
import { gateLogitsByLoop, targetLogProbsByLoop } from '../model/read-out.js';
import type { TrainingBatch } from './batch.js';
import type { ObjectiveReport } from './contract.js';

export const stage1ConfigSchema = z.strictObject({
  kind: z.literal('stage1'),
  beta: z.number().nonnegative().default(0.1).describe('β, weight of the exit entropy; Ouro: 0.1, later 0.05'),
});
export type Stage1Config = z.infer<typeof stage1ConfigSchema>;

export function stage1Loss(model: LoopLM, batch: TrainingBatch, { beta }: Stage1Config): ObjectiveReport {
  const statesK = model.states(batch);
  const logProbsKN = targetLogProbsByLoop(model, statesK, batch.countedN, batch.targetsN);
  const logPdfKN = exitLogPdf(gateLogitsByLoop(model, statesK, batch.countedN, false));
  const pdfKN = logPdfKN.exp();
  const crossEntropy = pdfKN.mul(logProbsKN).sum(0).neg().mean();
  const entropy = exitEntropy(logPdfKN).mean();
  return {
    loss: crossEntropy.sub(entropy.mul(beta)),
    parts: { crossEntropy: crossEntropy.detach(), exitEntropy: entropy.detach() },
    exitPdfKN: pdfKN.detach(),
  };
}
