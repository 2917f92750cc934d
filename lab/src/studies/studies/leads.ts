/**
 * Leads for a preset in the transfer regime: one arm an idea, tried on the tuning split alone (`--try`). None of their seeds is reported,
 * and no outcome of theirs is published; the log has what they came to.
 */
import type { LoopRptSettings } from 'looprpt/internal/train/presets.js';
import type { ArmInput } from '../arm.js';
import { BASELINES } from '../arms.js';
import { study } from '../study.js';
import { allTokensArm } from '../transfer-arms.js';
import { transfer, transferText } from './transfer.js';

/** Stage I as LoopRPT's terms: labels and entropy by π, with gradients into it. */
const STAGE1 = { alpha: 0, gamma: 0.1, kappa: 0, weightGradient: 'backbone', entropyGradient: 'backbone' } as const;
const HARDEST = { kappa: 1, kappaShare: 0.2 } as const;

const lead = (name: string, changes: LoopRptSettings, arm: Partial<ArmInput> = {}): ArmInput =>
  allTokensArm({ name, title: name, role: 'variant', ...arm }, changes);

const LEADS: readonly ArmInput[] = [
  lead('lambda-0', { lambdaBase: 0 }),
  lead('lambda-002', { lambdaBase: 0.02 }),
  lead('lambda-005', {}),
  lead('lambda-01', { lambdaBase: 0.1 }),
  lead('rho-05', { rho: 0.5 }),
  lead('no-kappa', { kappa: 0 }),
  lead('uniform-03', { uniformShare: 0.3 }),
  lead('uniform-06', { uniformShare: 0.6 }),
  lead('uniform', { weights: 'uniform' }),
  lead('uniform-no-kappa', { weights: 'uniform', kappa: 0 }),
  lead('first', { weights: 'first', kappa: 0 }),
  lead('depth', { weights: 'depth' }),
  lead('uniform-hardest', { weights: 'uniform', ...HARDEST }),
  lead('stage1-hardest', { ...STAGE1, ...HARDEST }),
  lead('stage1-policy', { ...STAGE1, alpha: 1, lambdaBase: 0.02 }),
  lead('uniform-distil', { weights: 'uniform', kappa: 0, zeta: 0.3, distillAnchor: 0 }),
  lead('uniform-06-distil', { uniformShare: 0.6, zeta: 0.1, distillAnchor: 0 }),
  lead('blend', { uniformShare: 0.6 }, { blend: 0.8 }),
  lead('k3', { uniformShare: 0.6, delta: 1e-4 }, { teacherDecay: 1 }),
];

const arms = [...BASELINES.filter(({ name }) => ['base', 'stage1', 'uniform-ce'].includes(name)), ...LEADS];

export const transferLeads = study({
  ...transfer,
  name: 'transfer-leads',
  title: 'Leads: from symbols to word problems',
  arms,
  tuning: { seeds: [102], learningRates: [8e-3], trials: 1 },
  equalTokensOnly: [],
});

export const transferTextLeads = study({
  ...transferText,
  name: 'transfer-text-leads',
  title: 'Leads: from GSM8K to Omni-MATH',
  arms,
  tuning: { seeds: [102], learningRates: [4e-3], trials: 1 },
  equalTokensOnly: [],
});
