/**
 * What the teacher says about the hard tokens: the reference that rewards are measured from, and what the trust region holds the student
 * to. No gradient.
 *
 * Shapes: K loops, M hard tokens.
 */
import { noGrad, type Tensor } from '@looprpt/engine';
import { atStep } from '../../model/exit.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { targetLogProbs, targetLogProbsByLoop } from '../readout.js';
import type { LoopRptConfig } from './config.js';
import type { TeacherView } from './hard-tokens.js';
import { referenceStates } from './reference-distillation.js';
import { type RewardTerms, timePenalty } from './reward.js';

export interface Reference {
  terms: RewardTerms;
  /** ℓ_θ̄^(k), [K, M]; null without a trust region, which alone asks for every loop. */
  logProbsKM: Tensor | null;
}

export function referenceOf(teacher: LoopLM, view: TeacherView, config: LoopRptConfig): Reference {
  const { hard, entropyM, referenceStepM, statesK } = view;
  return noGrad(() => {
    const logProbsKM = config.delta > 0 ? targetLogProbsByLoop(teacher, statesK, hard.placesN, hard.targetsN) : null;
    const atReference = (): Tensor =>
      targetLogProbs(teacher, referenceStates(statesK, hard.placesN, 'reference', referenceStepM), hard.targetsN);
    const baselineM = logProbsKM ? atStep(logProbsKM, referenceStepM) : atReference();
    const timePenaltyM = timePenalty(entropyM, teacher.config.vocabSize, config);
    return { terms: { baselineM, timePenaltyM, referenceStepM }, logProbsKM };
  });
}
