/**
 * Ouro's stage II: the gate alone learns whether a further loop would help.
 *
 * The improvement of the next loop, I_k = ℓ^(k+1) − ℓ^(k) (not clamped), sets a target for going on,
 * w_k = σ(slope·(I_k − threshold)), and the gate's own probability of going on, 1 − λ^(k), is trained towards it:
 *
 *   L = mean_t mean_{k<K} BCE(1 − λ^(k), w_k)
 *
 * Hidden states and targets carry no gradient. Shapes: K loops, N counted places.
 */
import { binaryCrossEntropyWithLogits, noGrad, type Tensor } from '@looprpt/engine';
import { z } from 'zod';
import { exitPdf } from '../model/exit.js';
import type { LoopLM } from '../model/loop-lm.js';
import { gateLogitsByLoop, targetLogProbsByLoop } from '../model/read-out.js';
import type { TrainingBatch } from './batch.js';
import type { ObjectiveReport } from './contract.js';

export const continueTargetSchema = z.strictObject({
  slope: z.number().positive().default(50).describe('steepness of the target in the improvement, 1/nats'),
  threshold: z.number().default(0.005).describe('improvement that is just worth a loop, nats'),
});
export type ContinueTarget = z.infer<typeof continueTargetSchema>;

export const gateConfigSchema = z.strictObject({
  kind: z.literal('gate'),
  ...continueTargetSchema.shape,
});
export type GateConfig = z.infer<typeof gateConfigSchema>;

/** Stage II's loss from ℓ [K, N] and gate logits [K, N]; a scalar. Zero for a model of one loop. */
export function continueLoss(logProbsKN: Tensor, gateLogitsKN: Tensor, { slope, threshold }: ContinueTarget): Tensor {
  const K = gateLogitsKN.size(0);
  if (K === 1) return gateLogitsKN.sum().mul(0);
  const fixedKN = logProbsKN.detach();
  const improvement = fixedKN.slice(0, 1, K).sub(fixedKN.slice(0, 0, K - 1));
  const goOn = improvement.sub(threshold).mul(slope).sigmoid();
  // 1 − λ = σ(−a)
  return binaryCrossEntropyWithLogits(gateLogitsKN.slice(0, 0, K - 1).neg(), goOn).mean();
}

export function gateLoss(model: LoopLM, batch: TrainingBatch, config: GateConfig): ObjectiveReport {
  const { statesK, logProbsKN } = noGrad(() => {
    const statesK = model.states(batch);
    return { statesK, logProbsKN: targetLogProbsByLoop(model, statesK, batch.countedN, batch.targetsN) };
  });
  const gateKN = gateLogitsByLoop(model, statesK, batch.countedN, true);
  const loss = continueLoss(logProbsKN, gateKN, config);
  const exitPdfKN = exitPdf(gateKN.detach());
  const crossEntropy = exitPdfKN.mul(logProbsKN).sum(0).neg().mean();
  return { loss, parts: { gate: loss.detach(), crossEntropy }, exitPdfKN };
}
