/**
 * A bfloat16 step by fused operators against the same step in float64: loss and gradients are as near as those of plain operators.
 */
import { backward, type DType, scope } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { loopRptCase, mixedBatch, withModels } from '../../test-support/looprpt-case.js';
import { tinyModel } from '../../test-support/slow/tiny-model.js';
import { objectiveConfigSchema, objectiveOf } from '../objectives/objective.js';
import type { Kernels } from './operators.js';

interface Outcome {
  loss: number;
  gradient: Float64Array;
}

const of = loopRptCase({}, { student: tinyModel(41, { loops: 3 }), batch: mixedBatch });

// Every place is hard and nothing is drawn: a rounded entropy or state must not choose other tokens.
const settings = { kind: 'looprpt', rho: 1, rolloutCount: 1, sigma: 0, gamma: 0.2, entropyGradient: 'backbone' };
const objectives: Record<string, object> = {
  stage1: { kind: 'stage1' },
  'hard rollouts': { ...settings, rollouts: 'hard' },
  'full rollouts': { ...settings, rollouts: 'full' },
  'no rollouts': { ...settings, policy: 'closed', policyGradient: 'backbone' },
};

function step(objective: object, dtype: DType, kernels: Kernels): Outcome {
  return withModels(
    of,
    (models) => {
      for (const model of [models.student, models.teacher]) model.kernels = kernels;
      const { loss } = objectiveOf(objectiveConfigSchema.parse(objective)).loss(models);
      backward(loss);
      const gradient = models.student.parameters().flatMap(({ tensor }) => Array.from(tensor.grad?.toNumbers() ?? []));
      return scope(() => ({ loss: loss.item(), gradient: Float64Array.from(gradient) }));
    },
    dtype,
  );
}

/** |a − b| / |b| */
function apart(a: Float64Array, b: Float64Array): number {
  const norm = (values: Float64Array): number => Math.hypot(...values);
  return norm(a.map((value, i) => value - b[i]!)) / norm(b);
}

describe.each(Object.entries(objectives))('%s', (_, objective) => {
  test('is near the exact step', () => {
    const exact = step(objective, 'float64', 'plain');
    const plain = step(objective, 'bfloat16', 'plain');
    const fused = step(objective, 'bfloat16', 'fused');
    expect(fused.gradient).toHaveLength(exact.gradient.length);
    expect(Math.abs(fused.loss - exact.loss)).toBeLessThan(0.02 * Math.abs(exact.loss) + 0.01);
    // How much a tiny model amplifies what is rounded, plain operators say; the two ways round in other places.
    const [ours, reference] = [fused, plain].map(({ gradient }) => apart(gradient, exact.gradient));
    expect(reference).toBeLessThan(0.2);
    expect(ours).toBeLessThan(1.5 * reference! + 0.01);
    expect(fused.gradient).not.toEqual(plain.gradient);
  });
});
