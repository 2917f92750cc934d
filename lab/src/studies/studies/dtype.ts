/**
 * What bfloat16 costs in quality: stage I and LoopRPT, each in float32 and in bfloat16 from the same base, for the same tokens.
 *
 * `dtype` is set outright: `auto` would take float32 for the narrower of the two models.
 */
import type { ArmInput } from '../arm.js';
import { BASELINES, METHODS } from '../arms.js';
import { type StudyInput, study } from '../study.js';
import { hopShort } from './hop.js';
import { MATH_CORPUS, mathLarge } from './math.js';

const named = (arms: readonly ArmInput[], name: string): ArmInput => arms.find((arm) => arm.name === name)!;

const inBoth = (arm: ArmInput): ArmInput[] => [
  { ...arm, title: `${arm.title}, float32` },
  {
    ...arm,
    name: `${arm.name}-bfloat16`,
    title: `${arm.title}, bfloat16`,
    role: 'variant',
    dtype: 'bfloat16',
    against: arm.name,
  },
];

const shared = {
  claims: false,
  arms: [
    named(BASELINES, 'base'),
    ...inBoth({ ...named(BASELINES, 'stage1'), title: 'stage I' }),
    ...inBoth({ ...named(METHODS, 'looprpt'), title: 'LoopRPT' }),
  ],
  equalCompute: 'looprpt',
  seeds: [1, 2, 3, 4, 5],
} satisfies Partial<StudyInput>;

export const dtypeHop = study({
  ...hopShort,
  ...shared,
  name: 'dtype-hop',
  title: 'bfloat16 against float32: multi-hop lookup',
  about:
    'Data, base and steps are those of hop-short. Each arm is trained and judged in its dtype; one learning rate for all.',
  tuning: { seeds: [101], learningRates: [1e-3], trials: 1 },
});

export const dtypeMath = study({
  ...mathLarge,
  ...shared,
  name: 'dtype-math',
  title: 'bfloat16 against float32: GSM8K and Omni-MATH',
  about:
    'Data and base are those of math-large, with fewer steps. Each arm is trained and judged in its dtype; one learning rate for all.',
  corpus: { ...MATH_CORPUS, heldOutBatches: 40 },
  training: { ...mathLarge.training, steps: 40 },
  tuning: { seeds: [101], learningRates: [3e-4], trials: 1 },
  equalTokensOnly: [],
});
