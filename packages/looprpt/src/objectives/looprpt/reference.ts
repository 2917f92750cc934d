/**
 * What the teacher says about the hard tokens: the reference that rewards are measured from, and what the trust region holds the student
 * to. No gradient.
 *
 * Shapes: K loops, M hard tokens.
 */
import { noGrad, type Tensor } from '@looprpt/engine';
import { atStep } from '../../model/exit.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { targetLogProbs, targetLogProbsByLoop } from '../../model/read-out.js';
import type { LoopRptConfig } from './config.js';
import type { TeacherView } from './hard-tokens.js';
import { referenceStates } from './reference-distillation.js';
import { type RewardTerms, timePenalty } from './reward.js';

export interface Reference {
  terms: RewardTerms;
  /** ℓ_θ̄^(k), [K, M]; null where it was not read and there is no trust region, which alone asks for every loop. */
  logProbsKM: Tensor | null;
}

/** @param readKM ℓ_θ̄^(k), [K, M], where it has been read already */
export function referenceOf(
  teacher: LoopLM,
  view: TeacherView,
  config: LoopRptConfig,
  readKM: Tensor | null = null,
): Reference {
  const { hard, entropyM, referenceStepM, statesK } = view;
  return noGrad(() => {
    const everyLoop = (): Tensor => targetLogProbsByLoop(teacher, statesK, hard.placesN, hard.targetsN);
    const logProbsKM = readKM ?? (config.delta > 0 ? everyLoop() : null);
    const atReference = (): Tensor =>
      targetLogProbs(teacher, referenceStates(statesK, hard.placesN, 'reference', referenceStepM), hard.targetsN);
    const baselineM = logProbsKM ? atStep(logProbsKM, referenceStepM) : atReference();
    const timePenaltyM = timePenalty(entropyM, teacher.config.vocabSize, config);
    return { terms: { baselineM, timePenaltyM, referenceStepM }, logProbsKM };
  });
}
