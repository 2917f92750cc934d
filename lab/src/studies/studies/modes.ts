/**
 * What the fast ways to compute LoopRPT cost in quality: eight whole noisy passes with gradients through all of
 * them, against the ways that leave work out. Speed stands in docs/results/performance.md; here is what is learnt.
 */
import { BASELINES, loopRptArm } from '../arms.js';
import { study } from '../study.js';
import { hopShort } from './hop.js';

const [BASE] = BASELINES;

export const modes = study({
  name: 'modes',
  title: 'What the fast modes of LoopRPT learn',
  regime: 'a',
  claims: false,
  about:
    'One learning rate for all. The baseline here is the way that costs most: eight whole noisy passes with gradients into the backbone.',
  corpus: hopShort.corpus,
  base: hopShort.base,
  arms: [
    BASE!,
    loopRptArm(
      { name: 'full-backbone', title: 'full rollouts, gradients into the backbone', role: 'baseline' },
      { rollouts: 'full', policyGradient: 'backbone' },
    ),
    loopRptArm({
      name: 'looprpt',
      title: "hard tokens' rollouts, gradients into the gate",
      role: 'method',
    }),
    loopRptArm(
      { name: 'closed', title: 'closed form, gradients into the gate', role: 'variant' },
      { policy: 'closed' },
    ),
  ],
  training: { ...hopShort.training, steps: 100 },
  tuning: { seeds: [101], learningRates: [1e-3], trials: 1 },
  equalCompute: 'looprpt',
  seeds: [1, 2, 3, 4, 5],
});
