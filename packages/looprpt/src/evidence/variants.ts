/** Changes to LoopRPT, as arms: what each changes of the paper's settings stands in its line. */

import { PRESETS } from '../train/presets.js';
import type { ArmInput } from './arm.js';
import { loopRptArm } from './arms.js';

/** Every token, the policy gradient in closed form, advantages over the batch. */
const CLOSED = { rho: 1, policy: 'closed', advantage: 'batch', lambdaBase: 0.1 } as const;

const REFERENCE = PRESETS.reference.objective;

/** The start itself as teacher, which does not follow the student. */
const FROZEN = PRESETS.reference.teacherDecay;

export const VARIANTS: readonly ArmInput[] = [
  loopRptArm({ name: 'closed-batch', title: 'all tokens, closed form, batch advantages', role: 'variant' }, CLOSED),
  loopRptArm({ name: 'reference', title: 'reference distillation', role: 'variant', teacherDecay: FROZEN }, REFERENCE),
  loopRptArm({ name: 'reference-moving', title: 'reference distillation, EMA teacher', role: 'variant' }, REFERENCE),
  loopRptArm(
    { name: 'reference-no-labels', title: 'reference distillation, no labels', role: 'variant', teacherDecay: FROZEN },
    { ...REFERENCE, beta: 0 },
  ),
  loopRptArm(
    {
      name: 'reference-uniform',
      title: 'reference distillation, uniform weights',
      role: 'variant',
      teacherDecay: FROZEN,
    },
    { ...REFERENCE, weights: 'uniform' },
  ),
  loopRptArm(
    { name: 'depth-weights', title: 'depth weights without distillation', role: 'variant', teacherDecay: FROZEN },
    { ...REFERENCE, zeta: 0 },
  ),
  loopRptArm(
    {
      name: 'reference-no-policy',
      title: 'reference distillation, gate as it was',
      role: 'variant',
      teacherDecay: FROZEN,
    },
    { ...REFERENCE, alpha: 0, gamma: 0 },
  ),
];
