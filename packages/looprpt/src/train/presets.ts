/**
 * Named settings of LoopRPT, as plain data: `preset: NAME` in a recipe stands for them, and what the recipe says itself wins.
 * The equations behind each key are in docs/algorithm.md, the evidence for them in docs/evidence.md.
 *
 * They are written out whole, so that other defaults change nothing. Nothing here loads the engine.
 */
import type { z } from 'zod';
import type { loopRptConfigSchema } from '../objectives/looprpt/config.js';

export type LoopRptSettings = Omit<z.input<typeof loopRptConfigSchema>, 'kind'>;

export interface Preset {
  about: string;
  objective: LoopRptSettings;
  /** Of the gate's parameters, as a multiple of the learning rate. */
  gateLearningRateScale: number;
  /** φ of the EMA teacher; 1: it stays what it was at the start. */
  teacherDecay: number;
}

/** The paper's values where it gives them, else those of small-scale trials. */
const AS_WRITTEN: LoopRptSettings = {
  ...{ rho: 0.2, tau: 0.7, entropyAt: 'reference' },
  ...{ alpha: 1, beta: 1, gamma: 0.02, delta: 0.005, zeta: 0, distillAnchor: null, lambdaBase: 0.02, lambdaScale: 1 },
  ...{ policy: 'rollouts', rollouts: 'full', rolloutCount: 8, sigma: 0.1, rewardFrom: 'table', advantage: 'token' },
  ...{ policyGradient: 'gate', entropyGradient: 'gate', weights: 'policy', kappa: 1, weightGradient: 'none' },
};

/**
 * No rollouts: the exact gradient of Σ_k π(k) A(k), on every token, with advantages over the batch. L_rep at half its weight and with w_k = π(k).
 * L_ref instead of a bound on ℓ: the start itself is the teacher, four fifths of the distillation hold the last loop where it is, and the
 * rest draws the early loops towards it.
 */
const ANCHORED: LoopRptSettings = {
  ...AS_WRITTEN,
  ...{ rho: 1, policy: 'closed', rollouts: 'hard', advantage: 'batch' },
  ...{ beta: 0.5, kappa: 0, delta: 0, zeta: 1, distillFrom: 'last', distillAnchor: 0.8 },
};

export const PRESETS = {
  paper: {
    about: 'LoopRPT as the paper writes it, with every noisy pass whole',
    objective: AS_WRITTEN,
    gateLearningRateScale: 0.5,
    teacherDecay: 0.995,
  },
  fast: {
    about: "the same with rollouts of the hard tokens' queries alone: a quarter of the work",
    objective: { ...AS_WRITTEN, rollouts: 'hard' },
    gateLearningRateScale: 0.5,
    teacherDecay: 0.995,
  },
  anchored: {
    about: 'no rollouts, all tokens, early loops learn what the frozen start knows at its last, which is held',
    objective: ANCHORED,
    gateLearningRateScale: 0.5,
    teacherDecay: 1,
  },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof PRESETS;
