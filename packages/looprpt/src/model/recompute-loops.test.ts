/** Loops that are run again in the backward pass, against loops whose intermediate results are kept: the same loss and gradients. */
import { backward, type DType, liveTensors, profile, scope } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import {
  type LoopRptCase,
  loopRptCase,
  mixedBatch,
  type ProductModels,
  withModels,
} from '../../test-support/looprpt-case.js';
import { tinyModel } from '../../test-support/slow/tiny-model.js';
import { type ObjectiveConfig, objectiveConfigSchema, objectiveOf } from '../objectives/objective.js';
import type { Kernels } from './operators.js';

interface Outcome {
  loss: number;
  gradients: Map<string, Float64Array | null>;
}

interface Setting {
  objective: ObjectiveConfig;
  kernels: Kernels;
  dtype: DType;
}

const rpt = { kind: 'looprpt', alpha: 0.7, gamma: 0.2, rho: 0.5, tau: 0.6, rolloutCount: 3, sigma: 0.3 };
const objectives: Record<string, object> = {
  stage1: { kind: 'stage1' },
  'hard rollouts, gate': { ...rpt, rollouts: 'hard', policyGradient: 'gate' },
  'hard rollouts, backbone': { ...rpt, rollouts: 'hard', policyGradient: 'backbone', entropyGradient: 'backbone' },
  'full rollouts, gate': { ...rpt, rollouts: 'full', policyGradient: 'gate' },
  'full rollouts, backbone': { ...rpt, rollouts: 'full', policyGradient: 'backbone', rewardFrom: 'own' },
  'no rollouts': { ...rpt, policy: 'closed', policyGradient: 'backbone', weightGradient: 'backbone' },
  'hard-token-ce': { kind: 'hard-token-ce', rho: 0.5 },
};

function step(models: ProductModels, { objective, kernels }: Setting, recomputeLoops: boolean): Outcome {
  const { student } = models;
  Object.assign(student, { kernels, recomputeLoops });
  return scope(() => {
    const { loss } = objectiveOf(objective).loss(models);
    backward(loss);
    const gradients = student.parameters().map(({ name, tensor }): [string, Float64Array | null] => {
      const gradient = tensor.grad?.toNumbers() ?? null;
      tensor.grad = null;
      return [name, gradient];
    });
    return { loss: loss.item(), gradients: new Map(gradients) };
  });
}

function compare(of: LoopRptCase, setting: Setting, tolerance: number): void {
  withModels(
    of,
    (models) => {
      const kept = step(models, setting, false);
      const live = liveTensors();
      const again = step(models, setting, true);
      expect(liveTensors()).toBe(live);
      expect(again.loss).toBe(kept.loss);
      expect([...kept.gradients.values()].some((gradient) => gradient?.some((g) => Math.abs(g) > 1e-3))).toBe(true);
      for (const [name, gradient] of kept.gradients) {
        const ours = again.gradients.get(name);
        expect(ours === null, name).toBe(gradient === null);
        const apart = gradient?.map((g, i) => Math.abs(g - ours![i]!)) ?? [];
        expect(Math.max(0, ...apart), name).toBeLessThanOrEqual(tolerance);
      }
    },
    setting.dtype,
  );
}

const student = tinyModel(31, { loops: 4 });

describe.each(Object.entries(objectives))('%s', (_, settings) => {
  const objective = objectiveConfigSchema.parse(settings);
  test('by plain operators in double precision', () => {
    compare(loopRptCase({}, { student, batch: mixedBatch }), { objective, kernels: 'plain', dtype: 'float64' }, 1e-13);
  });
  test('by fused operators', () => {
    compare(loopRptCase({}, { student, batch: mixedBatch }), { objective, kernels: 'fused', dtype: 'float32' }, 2e-5);
  });
});

test('a model of one loop, and one with tied embeddings', () => {
  const objective = objectiveConfigSchema.parse({ kind: 'stage1' });
  for (const shape of [{ loops: 1 }, { tieEmbeddings: true }])
    compare(
      loopRptCase({}, { student: tinyModel(32, shape) }),
      { objective, kernels: 'plain', dtype: 'float64' },
      1e-13,
    );
});

test('two steps are the same bit for bit, and each loop runs twice', () => {
  const setting: Setting = {
    objective: objectiveConfigSchema.parse(objectives['full rollouts, backbone']),
    kernels: 'fused',
    dtype: 'float32',
  };
  withModels(
    loopRptCase({}, { student }),
    (models) => {
      expect(step(models, setting, true)).toEqual(step(models, setting, true));
      const stage1: Setting = { ...setting, objective: objectiveConfigSchema.parse({ kind: 'stage1' }) };
      const attentions = (recomputeLoops: boolean): number =>
        profile(() => step(models, stage1, recomputeLoops)).find(
          ({ operator, backward }) => operator === 'looprpt::attention' && !backward,
        )!.calls;
      expect(attentions(true)).toBe(2 * attentions(false));
    },
    'float32',
  );
});
