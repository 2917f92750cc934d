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

export function allTokensArm(arm: Named, changes: LoopRptSettings = {}): ArmInput {
  return presetArm(PRESETS['all-tokens'], arm, changes);
}

/** What the line search gives the strongest baseline: a share of the way, chosen as for LoopRPT. */
export const SEARCHED_BASELINE: ArmInput = {
  name: 'stage1-search',
  title: 'stage I, weights interpolated',
  role: 'baseline',
  objective: { kind: 'stage1', beta: 0.1 },
  blend: 'search',
};

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
  allTokensArm({
    name: 'all-tokens-search',
    title: 'the same, weights interpolated',
    role: 'variant',
    blend: 'search',
  }),
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
