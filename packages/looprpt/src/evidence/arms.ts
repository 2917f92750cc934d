/**
 * The arms that every study has: the baselines, LoopRPT as written, and its ablations. Variants of our own are in `variants.ts`.
 */
import type { z } from 'zod';
import type { loopRptConfigSchema } from '../objectives/looprpt/config.js';
import type { ArmInput } from './arm.js';

type LoopRpt = Omit<z.input<typeof loopRptConfigSchema>, 'kind'>;

/** The paper's algorithm where it gives values, else those of small-scale trials; written out, so that other defaults change nothing. */
const PAPER: LoopRpt = {
  ...{ rho: 0.2, tau: 0.7, entropyAt: 'reference' },
  ...{ alpha: 1, beta: 1, gamma: 0.02, delta: 0.005, lambdaBase: 0.02, lambdaScale: 1 },
  ...{ policy: 'rollouts', rollouts: 'hard', rolloutCount: 8, sigma: 0.1, rewardFrom: 'table', advantage: 'token' },
  ...{ policyGradient: 'gate', entropyGradient: 'gate', weightGradient: 'none' },
};

/** An arm of LoopRPT: the paper's settings but for `changes`. */
export function loopRptArm(
  arm: Pick<ArmInput, 'name' | 'title' | 'role'> & Partial<ArmInput>,
  changes: LoopRpt = {},
): ArmInput {
  return { gateLearningRateScale: 0.5, objective: { kind: 'looprpt', ...PAPER, ...changes }, ...arm };
}

export const BASELINES: readonly ArmInput[] = [
  { name: 'base', title: 'base', role: 'base', objective: null },
  { name: 'stage1', title: 'stage I continued', role: 'baseline', objective: { kind: 'stage1', beta: 0.1 } },
  { name: 'uniform-ce', title: 'uniform CE + gate', role: 'baseline', objective: { kind: 'uniform-ce' } },
  { name: 'hard-ce', title: 'hard-token CE + gate', role: 'baseline', objective: { kind: 'hard-token-ce', rho: 0.2 } },
  { name: 'gate', title: 'gate alone', role: 'baseline', objective: { kind: 'gate' } },
];

export const METHODS: readonly ArmInput[] = [
  loopRptArm({ name: 'looprpt', title: 'LoopRPT', role: 'method' }),
  loopRptArm({ name: 'looprpt-full', title: 'LoopRPT, full rollouts', role: 'method' }, { rollouts: 'full' }),
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
