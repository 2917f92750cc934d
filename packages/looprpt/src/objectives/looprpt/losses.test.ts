/** The four terms token by token, on quantities of the slow version: so a mean cannot hide a wrong token. */
import { type Tensor, tensor } from '@looprpt/engine';
import { expect, test } from 'vitest';
import { assertClose } from '../../../test-support/close.js';
import { loopRptCase, slowStep } from '../../../test-support/looprpt-case.js';
import type { SlowHardToken } from '../../../test-support/slow/slow-looprpt-types.js';
import { closedPolicyLoss, exitEntropyLoss, representationLoss, rolloutPolicyLoss, trustRegionLoss } from './losses.js';

const column = (values: readonly number[]): Tensor => tensor(values, { dtype: 'float64' }).unsqueeze(1);

function policyLossOf(token: SlowHardToken): number {
  if (token.closedFormAdvantages.length > 0)
    return closedPolicyLoss(column(token.exitPdf), column(token.closedFormAdvantages)).item();
  const { rollouts } = token;
  return rolloutPolicyLoss(
    column(rollouts.map(({ exitPdf, exit }) => Math.log(exitPdf[exit]!))),
    column(rollouts.map((rollout) => rollout.advantage)),
  ).item();
}

test.each([
  { rollouts: 'full' },
  { rollouts: 'hard', advantage: 'batch' },
  { policy: 'closed' },
  { policy: 'closed', advantage: 'none', closedFormWeighting: 'uniform' },
] as const)('every term of every hard token, %o', (overrides) => {
  const { tokens, parts } = slowStep(loopRptCase({ ...overrides, rho: 1 })).result;
  expect(tokens).toHaveLength(7);
  for (const token of tokens) {
    const [pdf, logProbs] = [column(token.exitPdf), column(token.logProbs)];
    assertClose(policyLossOf(token), token.parts.policy, 1e-13, 'L_PG');
    const representation = representationLoss(pdf, column(token.stepAdvantages), logProbs);
    assertClose(representation.item(), token.parts.representation, 1e-13, 'L_rep');
    // w_k one by one: the loss is linear in ℓ^(k).
    token.weights.forEach((weight, k) => {
      const one = column(token.logProbs.map((_, j) => (j === k ? -1 : 0)));
      assertClose(representationLoss(pdf, column(token.stepAdvantages), one).item(), weight, 1e-13, `w_${k}`);
    });
    assertClose(exitEntropyLoss(pdf.log()).item(), token.parts.entropy, 1e-13, 'L_ent');
    assertClose(trustRegionLoss(column(token.teacher.logProbs), logProbs).item(), token.parts.kl, 1e-12, 'L_KL');
  }
  // And the mean over tokens, for one of them.
  const all = tensor(
    tokens.map((token) => token.exitPdf),
    { dtype: 'float64' },
  );
  assertClose(exitEntropyLoss(all.transpose(0, 1).log()).item(), parts.entropy, 1e-13, 'mean L_ent');
});
