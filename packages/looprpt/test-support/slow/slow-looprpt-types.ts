/** Settings, inputs and results of the slow LoopRPT step. Loop numbers that are values (exits, t_ref) are 0-based. */
import type { AdvantageSettings } from './slow-advantage.js';
import type { SlowConfig, SlowParams } from './slow-loop-lm.js';
import type { SlowBatch } from './slow-readout.js';
import type { TeacherSettings, TeacherToken } from './slow-teacher.js';

/** How far the gradient of a term that depends on the exit distribution reaches. */
export type Reach = 'gate' | 'backbone';

export interface SlowLoopRptSettings extends TeacherSettings, AdvantageSettings {
  lambdaBase: number;
  lambdaScale: number;
  /** table: r^(g) = R(t^(g)) of the clean pass; own: the same formula with the rollout's own ℓ. */
  rewardSource: 'table' | 'own';
  /** rollouts: sampled exits of noisy passes; closed: -Σ_k π(k) A(k) of the clean pass. */
  policy: 'rollouts' | 'closed';
  /** Distribution under which closed-form advantages have mean 0 and variance 1. */
  closedFormWeighting: 'pi' | 'uniform';
  rollouts: 'full' | 'hard';
  /** The passes whose ℓ the K3 divergence reads; of noisy ones the mean over rollouts. */
  klFrom: 'clean' | 'noisy';
  /** With hard rollouts and a policy gradient into the backbone: does it flow through the clean keys and values? */
  rolloutKeysValues: 'live' | 'detached';
  /** … and through the clean h^(1) that the rollout starts from? */
  rolloutStart: 'live' | 'detached';
  policyGradient: Reach;
  entropyGradient: Reach;
  /** Gradient of L_rep through the π in w_k; A'(k) never carries any. */
  weightGradient: 'none' | Reach;
  alpha: number;
  beta: number;
  gamma: number;
  delta: number;
  /** Weight of the distillation of the teacher's last loop, or of its reference step, into every loop. */
  zeta: number;
  distillFrom: 'last' | 'reference';
  /** κ of w_k, and the share of a row's hard tokens at which it counts. */
  kappa: number;
  kappaShare: number;
  /** How A' is normalised; null: as `advantage` says. */
  stepAdvantage: 'token' | 'batch' | 'none' | null;
  /** Share of the last loop in it; null: all loops alike. */
  distillAnchor: number | null;
  /** The distribution over loops in w_k: π, 1/K, k in proportion, or loop 1 alone. */
  weights: 'policy' | 'uniform' | 'depth' | 'first';
  /** Share of 1/K beside π in it. */
  uniformShare: number;
}

export const defaultSlowLoopRptSettings: SlowLoopRptSettings = {
  tau: 0.5,
  rho: 0.2,
  entropySource: 'reference',
  lambdaBase: 0.02,
  lambdaScale: 1,
  rewardSource: 'table',
  advantage: 'token',
  epsilon: 1e-6,
  stdCorrection: 0,
  policy: 'rollouts',
  closedFormWeighting: 'pi',
  rollouts: 'full',
  klFrom: 'clean',
  rolloutKeysValues: 'detached',
  rolloutStart: 'detached',
  policyGradient: 'gate',
  entropyGradient: 'gate',
  weightGradient: 'none',
  alpha: 1,
  beta: 1,
  gamma: 0.02,
  delta: 0.005,
  zeta: 0,
  distillFrom: 'last',
  distillAnchor: null,
  kappa: 1,
  kappaShare: 1,
  stepAdvantage: null,
  weights: 'policy',
  uniformShare: 0,
};

export interface SlowLoopRptSetup {
  config: SlowConfig;
  teacher: SlowParams;
  batch: SlowBatch;
  settings: SlowLoopRptSettings;
  /** [rollout][k][b][s][e] already scaled by σ; hard rollouts read it at the hard positions only. */
  noise: number[][][][][];
  /** [rollout][b][s] sampled exit loops, 0-based; read at the hard positions only. */
  exits: number[][][];
}

export interface SlowLoopRptParts {
  /** L_PG, L_rep, L_ent, L_KL without their weights */
  policy: number;
  representation: number;
  entropy: number;
  kl: number;
  /** L_ref, 0 where ζ is. */
  distillation: number;
}

export interface SlowRollout {
  /** t^(g) */
  exit: number;
  exitPdf: number[];
  /** ℓ^(k) of the rollout's own noisy states */
  logProbs: number[];
  /** r^(g) */
  reward: number;
  /** A^(g) */
  advantage: number;
}

/** Everything that the step computes for one hard token. */
export interface SlowHardToken {
  teacher: TeacherToken;
  /** b_ref */
  baseline: number;
  /** d_t */
  difficulty: number;
  /** λ_t */
  timePenalty: number;
  /** ℓ_θ^(k) */
  logProbs: number[];
  /** π_θ(k) */
  exitPdf: number[];
  /** R(k) */
  rewards: number[];
  /** A'(k) */
  stepAdvantages: number[];
  /** κ, or 0 where it does not count. */
  kappa: number;
  /** w_k */
  weights: number[];
  /** empty with `policy: closed` */
  rollouts: SlowRollout[];
  /** A(k); empty with `policy: rollouts` */
  closedFormAdvantages: number[];
  parts: SlowLoopRptParts;
}

export interface SlowLoopRptResult {
  /** α L_PG + β L_rep + γ L_ent + δ L_KL + ζ L_ref */
  loss: number;
  /** means over the hard tokens */
  parts: SlowLoopRptParts;
  /** rows in order, positions ascending */
  tokens: SlowHardToken[];
  /** every counted position, hard or not */
  teacherTokens: TeacherToken[];
}
