/** Changes to LoopRPT, as arms: what each changes of LoopRPT's settings stands in its line. */

import { type LoopRptSettings, PRESETS } from 'looprpt/internal/train/presets.js';
import type { ArmInput } from './arm.js';
import { ABLATIONS, loopRptArm } from './arms.js';

/** Every token, the policy gradient in closed form, advantages over the batch. */
const CLOSED = { rho: 1, policy: 'closed', advantage: 'batch' } as const;

/** The start itself is the teacher: its last loop is the target of every loop, and most of all of the last. */
const ANCHORED: LoopRptSettings = {
  ...CLOSED,
  beta: 0.5,
  kappa: 0,
  delta: 0,
  zeta: 1,
  distillFrom: 'last',
  distillAnchor: 0.8,
};

const { objective: TETHERED, teacherDecay: OWN } = PRESETS.tethered;

/** The preset `tethered`, but for `changes`. */
function tetheredArm(
  arm: Pick<ArmInput, 'name' | 'title'> & Partial<ArmInput>,
  changes: LoopRptSettings = {},
): ArmInput {
  return loopRptArm({ role: 'variant', teacherDecay: OWN, tunes: 'blend', ...arm }, { ...TETHERED, ...changes });
}

/** The arm of the preset for a base that knows its text. */
export const TETHERED_ARM = 'tethered';

/** The arms of our presets, as far as a study has them. */
export const OUR_PRESETS: readonly string[] = ['all-tokens', TETHERED_ARM];

/** The arm that has of the preset only what plain training can have too. */
export const PLAIN_INTERPOLATED = 'stage1-blended';

export const VARIANTS: readonly ArmInput[] = [
  loopRptArm(
    { name: 'closed-batch', title: 'all tokens, closed form, batch advantages', role: 'variant' },
    { ...CLOSED, lambdaBase: 0.1 },
  ),
  loopRptArm({ name: 'anchored', title: 'anchored distillation', role: 'variant', teacherDecay: 1 }, ANCHORED),
  tetheredArm({ name: TETHERED_ARM, title: 'tethered' }),
  tetheredArm({ name: 'tethered-no-blend', title: 'tethered, without interpolation', tunes: 'learningRate' }),
  tetheredArm({ name: 'tethered-no-distill', title: 'tethered, without distillation' }, { zeta: 0 }),
  tetheredArm({ name: 'tethered-no-labels', title: 'tethered, without labels' }, { beta: 0 }),
  tetheredArm({ name: 'tethered-no-policy', title: 'tethered, gate as it was' }, { alpha: 0, gamma: 0 }),
  {
    name: PLAIN_INTERPOLATED,
    title: 'stage I, interpolated',
    role: 'ablation',
    tunes: 'blend',
    objective: { kind: 'stage1', beta: 0.1 },
  },
];

/** The arms of LoopRPT and of the preset that want a part, by name. */
export const PARTS_TAKEN_AWAY: readonly string[] = [...ABLATIONS, ...VARIANTS]
  .map(({ name }) => name)
  .filter((name) => ABLATIONS.some((arm) => arm.name === name) || name.startsWith(`${TETHERED_ARM}-no-`));
