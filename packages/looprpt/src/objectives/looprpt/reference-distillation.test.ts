/** L_ref and the profiles of w_k against the slow version, in one chunk and in several, and where they may not matter. */
import { arange, backward, linear, ones, scope, type Tensor, zeros } from '@looprpt/engine';
import { expect, test } from 'vitest';
import { assertClose } from '../../../test-support/close.js';
import { assertGradients } from '../../../test-support/gradient-check.js';
import {
  batchWithSilentRow,
  fourLoops,
  type LoopRptOverrides,
  loopRptCase,
  productStep,
  slowStep,
  threeLoops,
  withModels,
} from '../../../test-support/looprpt-case.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { atPlaces, nextTokenEntropy, targetLogProbsByLoop } from '../../model/read-out.js';
import { distillationShares, referenceDistillationLoss } from './reference-distillation.js';

test.each<LoopRptOverrides>([
  { zeta: 0.8 },
  { zeta: 0.8, rho: 1, policy: 'closed', advantage: 'batch' },
  { zeta: 0.8, distillFrom: 'reference' },
  { zeta: 0.8, distillAnchor: 0.7 },
  { zeta: 1, distillAnchor: 1, policy: 'closed' },
  { zeta: 0.8, distillFrom: 'reference', tau: 0.3, rollouts: 'full' },
  { kappa: 0 },
  { kappa: 2.5, advantage: 'batch' },
  { rho: 1, kappaShare: 0.3, kappa: 1.5 },
  { rho: 0.7, kappaShare: 0.5, weightGradient: 'backbone' },
  { rho: 1, policy: 'closed', advantage: 'batch', stepAdvantage: 'token', kappaShare: 0.4 },
  { rho: 1, policy: 'closed', closedFormWeighting: 'uniform', stepAdvantage: 'batch' },
  { weights: 'uniform' },
  { weights: 'depth', zeta: 0.3, policy: 'closed' },
  { weights: 'depth', weightGradient: 'backbone', advantage: 'none' },
  { alpha: 0, beta: 0, gamma: 0, delta: 0, zeta: 1 },
])('loss and gradients are those of the slow version, %o', (overrides) => {
  for (const student of [threeLoops, fourLoops]) {
    const of = loopRptCase(overrides, { student, batch: batchWithSilentRow });
    const { result, lossOf } = slowStep(of);
    const ours = productStep(of);
    assertClose(ours.loss, result.loss, 1e-11, 'loss');
    if (of.config.zeta > 0) assertClose(ours.parts.distillation!, result.parts.distillation, 1e-11, 'L_ref');
    assertGradients(ours.gradients, lossOf, of.student.params, { tolerance: 2e-10 });
  }
});

type Dtype = 'float64' | 'float32' | 'bfloat16';

/** L_ref on all tokens, and every gradient of it, in the given precision and chunks. */
function distilled(dtype: Dtype, chunkLogits?: number): { value: number; gradients: number[][] } {
  const of = loopRptCase({ rho: 1 });
  return withModels(
    of,
    ({ student, teacher, batch }) => {
      student.setRequiresGrad(() => true);
      const statesME = atPlaces(teacher.states(batch).at(-1)!, batch.countedN);
      const reference = { statesME, entropyM: nextTokenEntropy(teacher, statesME) };
      const statesK = student.states(batch);
      const shares = distillationShares(student.config.loops, 0.6);
      const hard = { placesN: batch.countedN, targetsN: batch.targetsN };
      const logProbsKM = targetLogProbsByLoop(student, statesK, hard.placesN, hard.targetsN);
      const reading = { statesK, hard, logProbsKM };
      const loss = referenceDistillationLoss(student, reading, teacher, reference, shares, chunkLogits);
      const value = loss.item();
      backward(loss);
      return { value, gradients: student.parameters().map(({ tensor }) => [...(tensor.grad?.toNumbers() ?? [])]) };
    },
    dtype,
  );
}

test('chunks change nothing but what is in memory', () => {
  const { vocabSize } = loopRptCase({ rho: 1 }).student.config;
  const whole = distilled('float64');
  for (const chunkLogits of [3 * vocabSize, 1]) {
    const { value, gradients } = distilled('float64', chunkLogits);
    assertClose(value, whole.value, 1e-13, 'L_ref');
    for (const [i, gradient] of gradients.entries()) assertClose(gradient, whole.gradients[i]!, 1e-12, 'gradient');
  }
});

test.each<[Dtype, number]>([
  ['float32', 1e-5],
  ['bfloat16', 0.15],
])('in %s it is what it is in double precision, but for rounding', (dtype, tolerance) => {
  const [exact, rounded] = [distilled('float64'), distilled(dtype)];
  expect(Math.abs(rounded.value - exact.value)).toBeLessThan(tolerance * exact.value);
  const norm = (vector: readonly number[]): number => Math.hypot(...vector);
  const apart = exact.gradients.flatMap((gradient, i) => gradient.map((g, j) => g - (rounded.gradients[i]![j] ?? 0)));
  expect(norm(apart)).toBeLessThanOrEqual(tolerance * norm(exact.gradients.flat()));
});

test.each([1, 2 ** 24])(
  'in bfloat16 a word that is the target of very many tokens gets all of its gradient, chunks of %i',
  (chunk) =>
    scope(() => {
      // More than 256 equal contributions, of 1/M each; the head is 0, so both words have the probability ½.
      const [M, E] = [1024, 4];
      const bfloat16 = { dtype: 'bfloat16' } as const;
      const head = zeros([2, E], bfloat16);
      head.requiresGrad = true;
      const model = { weights: { head }, logits: (x: Tensor) => linear(x, head) } as unknown as LoopLM;
      const [states, places] = [ones([1, M, E], bfloat16), arange(0, M)];
      const reading = {
        statesK: [states],
        hard: { placesN: places, targetsN: zeros([M], { dtype: 'int64' }) },
        logProbsKM: zeros([1, M]),
      };
      const reference = { statesME: states.view(M, E), entropyM: zeros([M]) };
      backward(referenceDistillationLoss(model, reading, model, reference, [1], chunk));
      expect(head.grad!.toArray()).toEqual([new Array(E).fill(0.5), new Array(E).fill(-0.5)]);
    }),
);

test('a student that is its own teacher is at the minimum when its loops agree', () => {
  const of = loopRptCase({ alpha: 0, beta: 0, gamma: 0, delta: 0, zeta: 1, rho: 1 });
  const same = { ...of, teacher: of.student.params, slow: { ...of.slow, teacher: of.student.params } };
  const { parts } = slowStep(same).result;
  expect(productStep(same).parts.distillation).toBeCloseTo(parts.distillation, 11);
  expect(parts.distillation).toBeGreaterThan(0);
});

test.each<LoopRptOverrides>([
  { zeta: 0.8 },
  { zeta: 0.8, rho: 1, policy: 'closed', advantage: 'batch', delta: 0 },
  { zeta: 0.8, distillFrom: 'reference', distillAnchor: 0 },
  { rollouts: 'full', tau: 0.3, entropyAt: 'last' },
])('a student that is given as its own teacher learns what one beside a copy of it does, %o', (overrides) => {
  for (const student of [threeLoops, fourLoops]) {
    const of = loopRptCase(overrides, { student, batch: batchWithSilentRow });
    const alone = { ...of, teacher: student.params, slow: { ...of.slow, teacher: student.params } };
    // The slow version's teacher is a constant, whatever its weights are.
    const { result, lossOf } = slowStep(alone);
    const ours = productStep(alone, 'float64', { ownTeacher: true });
    assertClose(ours.loss, result.loss, 1e-11, 'loss');
    assertGradients(ours.gradients, lossOf, student.params, { tolerance: 2e-10 });
  }
});
