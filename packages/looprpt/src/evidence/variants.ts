/** Changes to LoopRPT, as arms: what each changes of the paper's settings stands in its line. */

import { type LoopRptSettings, PRESETS } from '../train/presets.js';
import type { ArmInput } from './arm.js';
import { loopRptArm } from './arms.js';

/** Every token, the policy gradient in closed form, advantages over the batch. */
const CLOSED = { rho: 1, policy: 'closed', advantage: 'batch', lambdaBase: 0.1 } as const;

const { objective: ANCHORED, teacherDecay: FROZEN } = PRESETS.anchored;

/** The best preset found, but for `changes`; the start itself is the teacher, which does not follow the student. */
function anchoredArm(
  arm: Pick<ArmInput, 'name' | 'title'> & Partial<ArmInput>,
  changes: LoopRptSettings = {},
): ArmInput {
  return loopRptArm({ role: 'variant', teacherDecay: FROZEN, ...arm }, { ...ANCHORED, ...changes });
}

export const VARIANTS: readonly ArmInput[] = [
  loopRptArm({ name: 'closed-batch', title: 'all tokens, closed form, batch advantages', role: 'variant' }, CLOSED),
  anchoredArm({ name: 'anchored', title: 'anchored distillation' }),
  anchoredArm({
    name: 'anchored-moving',
    title: 'anchored distillation, EMA teacher',
    teacherDecay: PRESETS.fast.teacherDecay,
  }),
  anchoredArm({ name: 'anchored-hard', title: 'anchored distillation, hard tokens only' }, { rho: 0.2 }),
  anchoredArm({ name: 'anchored-no-labels', title: 'anchored distillation, no labels' }, { beta: 0 }),
  anchoredArm({ name: 'anchored-alike', title: 'distillation without the anchor' }, { distillAnchor: null }),
  anchoredArm({ name: 'anchor-alone', title: 'the anchor without distillation' }, { zeta: 0.8, distillAnchor: 1 }),
  anchoredArm({ name: 'anchored-none', title: 'neither distillation nor anchor' }, { zeta: 0 }),
  anchoredArm({ name: 'anchored-no-policy', title: 'anchored distillation, gate as it was' }, { alpha: 0, gamma: 0 }),
];
