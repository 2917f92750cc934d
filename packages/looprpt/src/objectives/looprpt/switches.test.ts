/** Switching LoopRPT's components off, and what must then have no effect. */
import { describe, expect, test } from 'vitest';
import { assertClose } from '../../../test-support/close.js';
import { assertGradients } from '../../../test-support/gradient-check.js';
import {
  fourLoops,
  type LoopRptOverrides,
  loopRptCase,
  type ProductStep,
  productStep,
  slowStep,
  threeLoops,
} from '../../../test-support/looprpt-case.js';
import { type SlowBatch, UNCOUNTED } from '../../../test-support/slow/slow-readout.js';
import type { TinyModel } from '../../../test-support/slow/tiny-model.js';

const none = { alpha: 0, beta: 0, gamma: 0, delta: 0 };
const everywhere = { policyGradient: 'backbone', entropyGradient: 'backbone', weightGradient: 'backbone' } as const;
const isGate = (name: string): boolean => name.includes('early_exit_gate');
const HEAD = 'lm_head.weight';

const largest = (gradient: Float64Array | null | undefined): number => Math.max(...(gradient ?? [0]).map(Math.abs));

describe('a component that is off', () => {
  test.each<LoopRptOverrides>([
    { alpha: 0 },
    { beta: 0 },
    { gamma: 0 },
    { delta: 0 },
    { ...none, alpha: 1 },
    { ...none, beta: 1, ...everywhere },
    { ...none, gamma: 1, ...everywhere },
    { ...none, delta: 1 },
    { sigma: 0, rollouts: 'full' },
    { sigma: 0, rewardFrom: 'own' },
    { lambdaBase: 0, advantage: 'batch' },
    { rho: 1, policy: 'closed' },
    { alpha: 0, klFrom: 'noisy', rollouts: 'full' },
    { uniformShare: 0.4 },
    { weights: 'first' },
    { uniformShare: 0.3, weightGradient: 'backbone' },
    { ...none, delta: 1, klFrom: 'noisy', rollouts: 'full' },
    { delta: 0, klFrom: 'noisy', rollouts: 'full' },
    { sigma: 0, klFrom: 'noisy', rollouts: 'full' },
  ])('leaves the loss and the gradient of the slow version with the same off, %o', (overrides) => {
    const of = loopRptCase(overrides, { student: threeLoops });
    const { result, lossOf } = slowStep(of);
    const ours = productStep(of);
    assertClose(ours.loss, result.loss, 1e-11, 'loss');
    assertGradients(ours.gradients, lossOf, of.student.params, { tolerance: 2e-10 });
  });

  test('α = 0 runs no rollouts; what is logged for L_PG is the closed form', () => {
    const ours = productStep(loopRptCase({ alpha: 0, advantage: 'none' }));
    expect(ours.rolloutPdf).toBeNull();
    const closed = slowStep(loopRptCase({ policy: 'closed', advantage: 'none' })).result;
    assertClose(ours.parts.policy!, closed.parts.policy, 1e-11, 'L_PG');
  });

  test('all off: no loss, no gradient', () => {
    const ours = productStep(loopRptCase(none));
    expect(ours.loss).toBeCloseTo(0, 15);
    for (const [, gradient] of ours.gradients) expect(largest(gradient)).toBe(0);
  });

  test('a term that is not a finite number does not spoil a loss in which its weight is 0', () => {
    // Logits a thousand times too large: in float32 the divergence from the teacher overflows.
    const head = fourLoops.params[HEAD]!;
    const params = { ...fourLoops.params, [HEAD]: { ...head, data: head.data.map((x) => 1000 * x) } };
    const student: TinyModel = { config: fourLoops.config, params };
    expect(productStep(loopRptCase({}, { student }), 'float32').parts.klTeacher).toBe(Number.POSITIVE_INFINITY);
    const ours = productStep(loopRptCase({ delta: 0 }, { student }), 'float32');
    expect(ours.parts).not.toHaveProperty('klTeacher');
    expect(ours.loss).toSatisfy(Number.isFinite);
    for (const [, gradient] of ours.gradients) expect(largest(gradient)).toSatisfy(Number.isFinite);
  });
});

describe('how far gradients reach', () => {
  test.each<[LoopRptOverrides, 'gate' | 'backbone']>([
    [{ alpha: 1 }, 'gate'],
    [{ alpha: 1, rollouts: 'full' }, 'gate'],
    [{ alpha: 1, policy: 'closed' }, 'gate'],
    [{ gamma: 1 }, 'gate'],
    [{ beta: 1 }, 'backbone'],
    [{ delta: 1 }, 'backbone'],
    [{ delta: 1, klFrom: 'noisy', rollouts: 'full' }, 'backbone'],
  ])('alone, as it is by default: %o only into the %s', (weights, part) => {
    const { gradients } = productStep(loopRptCase({ ...none, ...weights }));
    for (const [name, gradient] of gradients) {
      if (isGate(name) === (part === 'gate')) expect(largest(gradient), name).toBeGreaterThan(1e-4);
      else expect(largest(gradient), name).toBe(0);
    }
  });
});

describe('what cancels', () => {
  /** Largest difference of the losses and of any element of the gradients. */
  const gap = (a: ProductStep, b: ProductStep): number => {
    const gradients = [...a.gradients].map(([name, gradient]) => {
      const other = b.gradients.get(name)!;
      return Math.max(...gradient!.map((g, i) => Math.abs(g - other[i]!)));
    });
    return Math.max(Math.abs(a.loss - b.loss), ...gradients);
  };
  const steps = (overrides: LoopRptOverrides): ProductStep[] =>
    [0.1, 0.5, 0.95].map((tau) => productStep(loopRptCase({ ...everywhere, entropyAt: 'last', ...overrides, tau })));

  test.each<LoopRptOverrides>([{ rollouts: 'full' }, { rollouts: 'hard', rewardFrom: 'own' }, { policy: 'closed' }])(
    'per token, τ has no effect on loss and gradient although rewards move: %o',
    (overrides) => {
      const [low, middle, high] = steps(overrides) as [ProductStep, ProductStep, ProductStep];
      for (const other of [middle, high]) expect(gap(low, other)).toBeLessThan(1e-10);
      expect(low.rewards).not.toEqual(high.rewards);
    },
  );

  test.each(['batch', 'none'] as const)('with advantage %s it has', (advantage) => {
    const [low, , high] = steps({ advantage }) as [ProductStep, ProductStep, ProductStep];
    expect(gap(low, high)).toBeGreaterThan(1e-3);
  });
});

test('places that are not hard have no influence, beyond being seen', () => {
  // The last target of a row is read by its own place alone, and nothing comes after to see it.
  const ids = [[3, 1, 4, 1, 5]];
  const batchWith = (target: number): SlowBatch => ({ ids, targets: [[UNCOUNTED, 4, 1, 5, target]] });
  const [a, b] = [2, 7].map((target) => loopRptCase({ rho: 0.25 }, { batch: batchWith(target) }));
  expect(slowStep(a!).result.tokens.map((token) => token.teacher.position)).not.toContain(4);
  expect(productStep(a!)).toEqual(productStep(b!));
});
