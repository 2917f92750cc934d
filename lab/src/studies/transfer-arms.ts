/**
 * The arms of the studies of transfer: LoopRPT to the letter, what of it can be left out, the presets, and LoopRPT on all tokens in closed
 * form, which needs no rollouts and no teacher beside the student.
 */
import { type LoopRptSettings, PRESETS, type Preset } from 'looprpt/internal/train/presets.js';
import type { ArmInput } from './arm.js';

type Named = Pick<ArmInput, 'name' | 'title' | 'role'> & Partial<ArmInput>;

/** An arm of a preset, but for `changes`. */
export function presetArm(preset: Preset, arm: Named, changes: LoopRptSettings = {}): ArmInput {
  const { objective, gateLearningRateScale, teacherDecay, blend } = preset;
  return {
    gateLearningRateScale,
    teacherDecay,
    blend,
    objective: { kind: 'looprpt', ...objective, ...changes },
    ...arm,
  };
}

/** Every token, the policy gradient in closed form with advantages over the batch, step advantages by token; the student teaches itself. */
export const ALL_TOKENS: LoopRptSettings = {
  ...PRESETS['paper-gate'].objective,
  rho: 1,
  policy: 'closed',
  rollouts: 'hard',
  advantage: 'batch',
  stepAdvantage: 'token',
  gamma: 0.01,
  delta: 0,
  lambdaBase: 0.05,
};

export function allTokensArm(arm: Named, changes: LoopRptSettings = {}): ArmInput {
  const preset = { about: '', objective: ALL_TOKENS, gateLearningRateScale: 0.5, teacherDecay: 0, blend: 1 };
  return presetArm(preset, arm, changes);
}

export const TRANSFER_ARMS: readonly ArmInput[] = [
  presetArm(PRESETS.paper, { name: 'paper', title: 'LoopRPT, paper', role: 'method' }),
  presetArm(
    PRESETS.fast,
    { name: 'paper-gate', title: "paper's weights, hard rollouts, gate", role: 'ablation' },
    { gamma: 0.01, delta: 1e-4 },
  ),
  presetArm(
    PRESETS.fast,
    { name: 'paper-backbone', title: "paper's weights, hard rollouts, backbone", role: 'ablation' },
    { gamma: 0.01, delta: 1e-4, policyGradient: 'backbone' },
  ),
  presetArm(PRESETS.tethered, { name: 'tethered', title: 'tethered', role: 'variant', tunes: 'blend' }),
  allTokensArm({ name: 'all-tokens', title: 'LoopRPT on all tokens', role: 'variant' }),
  allTokensArm({ name: 'all-tokens-plain', title: 'the same, w = π', role: 'variant' }, { kappa: 0 }),
  allTokensArm(
    { name: 'first-loop', title: 'the same, labels at loop 1 alone', role: 'ablation' },
    { kappa: 0, weights: 'first' },
  ),
  allTokensArm(
    { name: 'stage1-policy', title: 'stage I, gate by policy gradient too', role: 'variant' },
    { gamma: 0.1, kappa: 0, lambdaBase: 0.02, weightGradient: 'backbone', entropyGradient: 'backbone' },
  ),
];
