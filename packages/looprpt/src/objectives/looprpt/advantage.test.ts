import { tensor } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { assertClose, transposed } from '../../../test-support/close.js';
import { loopRptCase, productStep, slowStep } from '../../../test-support/looprpt-case.js';
import { normalise, normaliseWeighted } from '../../../test-support/slow/slow-advantage.js';
import { mean } from '../../../test-support/slow/slow-readout.js';
import { random } from '../../../test-support/slow/tiny-model.js';
import { advantages, advantagesUnderPolicy } from './advantage.js';

const wide = (values: number[][]) => tensor(values, { dtype: 'float64' });
const variants = (['token', 'batch', 'none'] as const).flatMap((advantage) =>
  ([0, 1] as const).flatMap((stdCorrection) =>
    [1e-4, 0.3].map((advantageEpsilon) => ({ advantage, stdCorrection, advantageEpsilon })),
  ),
);

describe.each(variants)('%o', (variant) => {
  const { config } = loopRptCase(variant);
  const slowVariant = { ...variant, epsilon: variant.advantageEpsilon };

  test('of made-up rewards: over the members, and under a policy', () => {
    const numbers = random(5);
    const rewards = Array.from({ length: 6 }, () => Array.from({ length: 4 }, () => numbers.normal()));
    const pdf = rewards
      .map((row) => row.map(() => numbers.uniform()))
      .map((row) => row.map((p) => p / (4 * mean(row))));
    const [rewardsKM, pdfKM] = [wide(transposed(rewards)), wide(transposed(pdf))];
    const plain = advantages(rewardsKM, config).toArray<number[][]>();
    assertClose(transposed(plain), normalise(rewards, slowVariant), 1e-13, 'A');
    const weighted = advantagesUnderPolicy(rewardsKM, pdfKM, config).toArray<number[][]>();
    assertClose(transposed(weighted), normaliseWeighted(rewards, pdf, slowVariant), 1e-13, 'A under π');
  });

  test("A^(g) and A'(k) of a step, and in closed form A(k)", () => {
    for (const policy of [{ policy: 'rollouts' }, { policy: 'closed' }] as const) {
      const of = loopRptCase({ ...variant, ...policy });
      const { tokens } = slowStep(of).result;
      const ours = productStep(of);
      const steps = advantages(wide(ours.rewards), config).toArray<number[][]>();
      const expectedSteps = tokens.map((token) => token.stepAdvantages);
      assertClose(transposed(steps), expectedSteps, 1e-10, "A'");
      if (policy.policy === 'closed') {
        const closed = advantagesUnderPolicy(wide(ours.rewards), wide(ours.exitPdf), config).toArray<number[][]>();
        const expectedClosed = tokens.map((token) => token.closedFormAdvantages);
        assertClose(transposed(closed), expectedClosed, 1e-10, 'A(k)');
      } else {
        const groups = advantages(wide(ours.groupRewards), config).toArray<number[][]>();
        const expectedGroups = tokens.map((token) => token.rollouts.map((rollout) => rollout.advantage));
        assertClose(transposed(groups), expectedGroups, 1e-10, 'A(g)');
      }
    }
  });
});

test('a group without spread has advantage 0, a group of one too', () => {
  for (const stdCorrection of [0, 1] as const) {
    const { config } = loopRptCase({ stdCorrection });
    expect(advantages(wide([[2], [2], [2]]), config).toNumbers()).toEqual(Float64Array.of(0, 0, 0));
    expect(advantages(wide([[2, 5]]), config).toNumbers()).toEqual(Float64Array.of(0, 0));
  }
});
