/**
 * The arms that every study has: the baselines, LoopRPT as the preset `fast` has it, and its ablations. Variants of our own are in `variants.ts`.
 */
import { type LoopRptSettings, PRESETS } from 'looprpt/internal/train/presets.js';
import type { ArmInput } from './arm.js';
import { methodTitle } from './method-settings.js';

const { objective: METHOD, gateLearningRateScale, teacherDecay } = PRESETS.fast;

/** An arm of LoopRPT: the preset `fast`, but for `changes`. */
export function loopRptArm(
  arm: Pick<ArmInput, 'name' | 'title' | 'role'> & Partial<ArmInput>,
  changes: LoopRptSettings = {},
): ArmInput {
  return { gateLearningRateScale, teacherDecay, objective: { kind: 'looprpt', ...METHOD, ...changes }, ...arm };
}

export const BASELINES: readonly ArmInput[] = [
  { name: 'base', title: 'base', role: 'base', objective: null },
  { name: 'stage1', title: 'stage I continued', role: 'baseline', objective: { kind: 'stage1', beta: 0.1 } },
  { name: 'uniform-ce', title: 'uniform CE + gate', role: 'baseline', objective: { kind: 'uniform-ce' } },
  { name: 'hard-ce', title: 'hard-token CE + gate', role: 'baseline', objective: { kind: 'hard-token-ce', rho: 0.2 } },
  { name: 'gate', title: 'gate alone', role: 'baseline', objective: { kind: 'gate' } },
];

export const METHODS: readonly ArmInput[] = [
  loopRptArm({ name: 'looprpt', title: methodTitle(METHOD), role: 'method' }),
  loopRptArm(
    { name: 'looprpt-full', title: methodTitle({ ...METHOD, rollouts: 'full' }), role: 'method' },
    { rollouts: 'full' },
  ),
];

export const ABLATIONS: readonly ArmInput[] = [
  loopRptArm({ name: 'no-selection', title: 'without token selection', role: 'ablation' }, { rho: 1 }),
  loopRptArm({ name: 'no-noise', title: 'without noise', role: 'ablation' }, { sigma: 0 }),
  loopRptArm({ name: 'no-kl', title: 'without KL', role: 'ablation' }, { delta: 0 }),
  loopRptArm({ name: 'no-time-penalty', title: 'without time penalty', role: 'ablation' }, { lambdaBase: 0 }),
  loopRptArm({ name: 'no-rep', title: 'without L_rep', role: 'ablation' }, { beta: 0 }),
  loopRptArm({ name: 'no-entropy', title: 'without L_ent', role: 'ablation' }, { gamma: 0 }),
  loopRptArm({ name: 'no-rep-entropy', title: 'without L_rep and L_ent', role: 'ablation' }, { beta: 0, gamma: 0 }),
  loopRptArm(
    { name: 'pg-backbone', title: 'policy gradient into the backbone', role: 'ablation' },
    { policyGradient: 'backbone' },
  ),
];
