/**
 * The whole LoopRPT step against the slow version, the noise and the exits given: loss, every logged part, π, R(k), r^(g),
 * π^(g), and the gradient of every parameter, for settings in which any two values occur together.
 */
import { expect, test } from 'vitest';
import { allPairs } from '../../../test-support/all-pairs.js';
import { assertClose, transposed } from '../../../test-support/close.js';
import { assertGradients } from '../../../test-support/gradient-check.js';
import {
  batchWithSilentRow,
  fourLoops,
  type LoopRptCase,
  loopRptCase,
  mixedBatch,
  type ProductStep,
  productStep,
  slowStep,
  threeLoops,
} from '../../../test-support/looprpt-case.js';
import type { SlowLoopRptResult } from '../../../test-support/slow/slow-looprpt-types.js';
import { tinyModel } from '../../../test-support/slow/tiny-model.js';

function assertSameStep(ours: ProductStep, slow: SlowLoopRptResult, tolerance: number): void {
  const { policy, representation, entropy, kl } = slow.parts;
  assertClose(ours.loss, slow.loss, tolerance, 'loss');
  assertClose(ours.parts.policy!, policy, tolerance, 'L_PG');
  assertClose(ours.parts.representation!, representation, tolerance, 'L_rep');
  assertClose(ours.parts.exitEntropy!, -entropy, tolerance, 'H(π)');
  assertClose(ours.parts.klTeacher!, kl, tolerance, 'L_KL');
  expect(Object.keys(ours.parts)).toHaveLength(4);
  const ofTokens = <T>(read: (token: SlowLoopRptResult['tokens'][number]) => T[]): T[][] =>
    transposed(slow.tokens.map(read));
  assertClose(
    ours.exitPdf,
    ofTokens((token) => token.exitPdf),
    tolerance,
    'π',
  );
  assertClose(
    ours.rewards,
    ofTokens((token) => token.rewards),
    tolerance,
    'R',
  );
}

/** What only rollouts have: their rewards and the probabilities of their exits. */
function assertSameRollouts(ours: ProductStep, { tokens }: SlowLoopRptResult, tolerance: number): void {
  const rewardsGM = transposed(tokens.map((token) => token.rollouts.map((rollout) => rollout.reward)));
  assertClose(ours.groupRewards, rewardsGM, tolerance, 'r');
  const exitPdfGM = transposed(tokens.map((token) => token.rollouts.map(({ exitPdf, exit }) => exitPdf[exit]!)));
  // With one loop nobody is asked whether to stop.
  const asked = tokens[0]!.exitPdf.length > 1;
  if (asked) assertClose(ours.rolloutPdf!, exitPdfGM, tolerance, 'π of the rollouts at their exits');
  else expect(exitPdfGM.flat()).toEqual(exitPdfGM.flat().map(() => 1));
}

function assertSameAll(of: LoopRptCase, ours: ProductStep, result: SlowLoopRptResult, tolerance: number): void {
  assertSameStep(ours, result, tolerance);
  if (of.config.policy === 'rollouts') assertSameRollouts(ours, result, tolerance);
  else {
    expect(ours.rolloutPdf).toBeNull();
    expect(ours.groupRewards).toEqual(ours.rewards);
  }
}

/** In float64 with plain operators, to rounding; in float32 with the fused ones, to that precision. */
function check(of: LoopRptCase): void {
  const { result, lossOf } = slowStep(of);
  const [plain, fused] = [productStep(of, 'float64'), productStep(of, 'float32')];
  assertSameAll(of, plain, result, 1e-11);
  assertGradients(plain.gradients, lossOf, of.student.params, { tolerance: 2e-10 });
  assertSameAll(of, fused, result, 1e-5);
  for (const [name, gradient] of plain.gradients)
    assertClose([...(fused.gradients.get(name) ?? [])], [...(gradient ?? [])], 2e-5, `${name} in float32`);
}

const rollouts = (kind: 'full' | 'hard', rewardFrom: 'table' | 'own') =>
  ({ policy: 'rollouts', rollouts: kind, rewardFrom }) as const;
const combinations = allPairs({
  policy: [
    rollouts('full', 'table'),
    rollouts('full', 'own'),
    { ...rollouts('full', 'table'), klFrom: 'noisy' },
    { ...rollouts('full', 'own'), klFrom: 'noisy' },
    rollouts('hard', 'table'),
    rollouts('hard', 'own'),
    { policy: 'closed', closedFormWeighting: 'policy' },
    { policy: 'closed', closedFormWeighting: 'uniform' },
  ],
  policyGradient: ['gate', 'backbone'],
  advantage: ['token', 'batch', 'none'],
  weightGradient: ['none', 'gate', 'backbone'],
  entropyGradient: ['gate', 'backbone'],
  entropyAt: ['reference', 'last'],
  stdCorrection: [0, 1],
  rho: [0.5, 1],
  student: [fourLoops, threeLoops],
} as const);

test.each(
  combinations.map(({ policy, student, ...rest }) => {
    const settings = { ...policy, ...rest };
    return [`${student.config.loops} loops, ${Object.values(settings).join(' ')}`, student, settings] as const;
  }),
)('%s', (_, student, settings) => {
  check(loopRptCase(settings, { student }));
});

test('single elements of every tensor, with every gradient reaching the backbone', () => {
  const settings = { policyGradient: 'backbone', weightGradient: 'backbone', entropyGradient: 'backbone' } as const;
  const of = loopRptCase({ ...settings, policy: 'closed' });
  const { lossOf } = slowStep(of);
  assertGradients(productStep(of).gradients, lossOf, of.student.params, { tolerance: 2e-10, elements: 1, seed: 3 });
});

test('a model of one loop has nothing to choose, and only what its one state says counts', () => {
  for (const settings of [{ rollouts: 'full' }, { rollouts: 'hard', policyGradient: 'backbone' }, { policy: 'closed' }])
    check(loopRptCase(settings as object, { student: tinyModel(41, { loops: 1 }) }));
});

test.each([0, 1] as const)('a group of one rollout has no advantage (stdCorrection %d)', (stdCorrection) => {
  const ours = productStep(loopRptCase({ rolloutCount: 1, stdCorrection }));
  expect(ours.parts.policy).toBe(-0);
  expect(ours.loss).not.toBeNaN();
});

test.each(['full', 'hard'] as const)('with a row of which nothing counts, %s rollouts', (kind) => {
  check(
    loopRptCase({ rollouts: kind, policyGradient: 'backbone' }, { student: threeLoops, batch: batchWithSilentRow }),
  );
});

test('a row of which nothing counts changes nothing', () => {
  const [without, withRow] = [mixedBatch, batchWithSilentRow].map((batch) =>
    productStep(loopRptCase({ policy: 'closed' }, { batch })),
  );
  assertClose(withRow!.loss, without!.loss, 1e-12, 'loss');
  assertClose(withRow!.rewards, without!.rewards, 1e-12, 'R');
});
