/**
 * Named settings of LoopRPT, as plain data: `preset: NAME` in a recipe stands for them, and what the recipe says itself wins.
 * The equations behind each key are in docs/design/algorithm.md, the evidence for them in docs/results.
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
  /** φ of the EMA teacher; 0: the student is its own. */
  teacherDecay: number;
  /** How far from the start to the last weights the run's model lies. */
  blend: number;
}

/**
 * Ours: the policy gradient into the gate, whole noisy passes, γ and δ from small-scale trials, L_KL from the clean pass. `PAPER` below
 * says what the paper has there.
 */
const GATE_ROLLOUTS: LoopRptSettings = {
  rho: 0.2,
  tau: 0.7,
  entropyAt: 'reference',
  alpha: 1,
  beta: 1,
  gamma: 0.02,
  delta: 0.005,
  klFrom: 'clean',
  zeta: 0,
  distillAnchor: null,
  lambdaBase: 0.02,
  lambdaScale: 1,
  policy: 'rollouts',
  rollouts: 'full',
  rolloutCount: 8,
  sigma: 0.1,
  rewardFrom: 'table',
  advantage: 'token',
  policyGradient: 'gate',
  entropyGradient: 'gate',
  weights: 'policy',
  uniformShare: 0,
  kappa: 1,
  weightGradient: 'none',
};

/**
 * LoopRPT to the letter where the paper is known: (α, β, γ, δ) = (1, 1, 0.01, 10⁻⁴), G = 8 whole noisy passes, L_KL read from them, and
 * nothing that stops a gradient at the gate. L_ent is a bonus, as its prose has it; its formula has the other sign. What the paper leaves
 * open is as above: τ, λ_base, λ_scale, the loop of H_t, and π in w_k as a constant.
 */
const PAPER: LoopRptSettings = {
  ...GATE_ROLLOUTS,
  gamma: 0.01,
  delta: 1e-4,
  klFrom: 'noisy',
  policyGradient: 'backbone',
  entropyGradient: 'backbone',
};

/**
 * No rollouts: the exact gradient of Σ_k π(k) A(k), on every token, with advantages over the batch. No second pass: the student is its own
 * teacher. L_rep at half its weight and with w_k = π(k); L_ref draws the early loops, and them alone, towards the last one.
 */
const TETHERED: LoopRptSettings = {
  ...GATE_ROLLOUTS,
  rho: 1,
  entropyAt: 'last',
  policy: 'closed',
  rollouts: 'hard',
  advantage: 'batch',
  beta: 0.5,
  kappa: 0,
  delta: 0,
  zeta: 0.3,
  distillFrom: 'last',
  distillAnchor: 0,
};

/**
 * No rollouts either, and nothing but labels and rewards: every token, the exact gradient of Σ_k π(k) A(k) with advantages over the batch,
 * step advantages by token in w_k. Where text is new to the base, all of its tokens are worth learning, and early loops learn them at once.
 */
const ALL_TOKENS: LoopRptSettings = {
  ...GATE_ROLLOUTS,
  rho: 1,
  policy: 'closed',
  rollouts: 'hard',
  advantage: 'batch',
  stepAdvantage: 'token',
  gamma: 0.01,
  delta: 0,
  lambdaBase: 0.05,
};

export const PRESETS = {
  paper: {
    about:
      "LoopRPT to the letter where the paper is known: G = 8 whole noisy passes, which L_KL reads too, the paper's coefficients, gradients into the backbone",
    objective: PAPER,
    gateLearningRateScale: 1,
    teacherDecay: 0.995,
    blend: 1,
  },
  'paper-gate': {
    about:
      'G = 8 whole noisy passes, with γ, δ and the pass of L_KL of our own, and a policy gradient that stops at the gate',
    objective: GATE_ROLLOUTS,
    gateLearningRateScale: 0.5,
    teacherDecay: 0.995,
    blend: 1,
  },
  fast: {
    about: "paper-gate with rollouts of the hard tokens' queries alone: a quarter of the work",
    objective: { ...GATE_ROLLOUTS, rollouts: 'hard' },
    gateLearningRateScale: 0.5,
    teacherDecay: 0.995,
    blend: 1,
  },
  'all-tokens': {
    about:
      'for a domain that is new to the base: no rollouts, all tokens, no teacher beside the student. Leaves early: within few loops above stage I in a generated domain and level with it on real text; its deep loops decay',
    objective: ALL_TOKENS,
    gateLearningRateScale: 0.5,
    teacherDecay: 0,
    blend: 1,
  },
  tethered: {
    about:
      'for a base that has learnt its kind of text, and a small corpus; in a domain new to the base it does harm. No rollouts, all tokens, early loops learn from the last, weights interpolated towards the start',
    objective: TETHERED,
    gateLearningRateScale: 0.5,
    teacherDecay: 0,
    blend: 0.25,
  },
} as const satisfies Record<string, Preset>;

/** The names of the presets. */
export type PresetName = keyof typeof PRESETS;

/** A preset as the part of a run's configuration that it stands for. */
export interface PresetSettings {
  objective: LoopRptSettings & { kind: 'looprpt' };
  optimizer: { gateLearningRateScale: number };
  teacherDecay: number;
  blend: number;
}

/**
 * The presets as parts of a configuration, to be spread into one.
 * @example await train({ ...presets.paper, model: { from: 'base' }, data: { shards: 'shards' }, out: 'run', steps: 500 });
 */
export const presets: Readonly<Record<PresetName, PresetSettings>> = {
  paper: settingsOf(PRESETS.paper),
  'paper-gate': settingsOf(PRESETS['paper-gate']),
  fast: settingsOf(PRESETS.fast),
  'all-tokens': settingsOf(PRESETS['all-tokens']),
  tethered: settingsOf(PRESETS.tethered),
};

function settingsOf({ objective, gateLearningRateScale, teacherDecay, blend }: Preset): PresetSettings {
  return { objective: { kind: 'looprpt', ...objective }, optimizer: { gateLearningRateScale }, teacherDecay, blend };
}
