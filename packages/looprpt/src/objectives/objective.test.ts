import { backward, liveTensors, scope } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { assertClose } from '../../test-support/close.js';
import { batchWithSilentRow, loopRptCase, withModels } from '../../test-support/looprpt-case.js';
import { objectiveNumbers } from '../../test-support/objective-case.js';
import { type ObjectiveConfig, objectiveConfigSchema, objectiveOf } from './objective.js';

const configs = [
  { kind: 'stage1' },
  { kind: 'gate' },
  { kind: 'uniform-ce' },
  { kind: 'hard-token-ce' },
  { kind: 'looprpt' },
  { kind: 'looprpt', rollouts: 'full', rolloutCount: 2, policyGradient: 'backbone', weightGradient: 'backbone' },
  { kind: 'looprpt', rewardFrom: 'own', advantage: 'batch', entropyGradient: 'backbone' },
  { kind: 'looprpt', policy: 'closed' },
].map((config): ObjectiveConfig => objectiveConfigSchema.parse(config));

describe.each(configs)('%o', (config) => {
  const objective = objectiveOf(config);

  test('leaves no tensor behind, and has no use for a teacher where it says so', () => {
    withModels(loopRptCase(), ({ teacher, ...inputs }) => {
      const step = (): number =>
        scope(() => {
          const { loss } = objective.loss({ ...inputs, teacher: objective.readsTeacher ? teacher : null });
          backward(loss);
          return loss.item();
        });
      step();
      const before = liveTensors();
      expect(step()).toSatisfy(Number.isFinite);
      expect(liveTensors()).toBe(before);
    });
  });

  test('everything but the loss is detached, and the teacher gets no gradient', () => {
    withModels(loopRptCase(), (inputs) => {
      const report = objective.loss(inputs);
      expect(report.loss.requiresGrad).toBe(true);
      expect(report.loss.shape).toEqual([]);
      const logged = [...Object.values(report.parts), report.exitPdfKN, report.rewardKN, report.groupRewardsGN];
      for (const tensor of logged) expect(tensor?.requiresGrad ?? false).toBe(false);
      expect(report.rewardKN !== undefined).toBe(config.kind === 'looprpt');
      backward(report.loss);
      for (const { tensor } of inputs.teacher.parameters()) expect(tensor.grad).toBeNull();
    });
  });

  test('trains the weights that it says, and only those', () => {
    withModels(loopRptCase(), (inputs) => {
      inputs.student.setRequiresGrad((parameter) => objective.trains(parameter));
      backward(objective.loss(inputs).loss);
      for (const parameter of inputs.student.parameters()) {
        const gradient = parameter.tensor.grad;
        const trained = config.kind === 'gate' ? ['gateWeight', 'gateBias'].includes(parameter.name) : true;
        expect([objective.trains(parameter), gradient !== null], parameter.name).toEqual([trained, trained]);
        if (gradient) expect(gradient.isfinite().all().item(), parameter.name).toBe(1);
      }
    });
  });
});

test.each(configs.filter(({ kind }) => kind !== 'looprpt'))(
  'in float32, with fused operators, as in float64 with plain ones: %o',
  (config) => {
    const [fused, plain] = (['float32', 'float64'] as const).map((dtype) =>
      objectiveNumbers(config, loopRptCase({}, { batch: batchWithSilentRow }), dtype),
    );
    assertClose(fused!.loss, plain!.loss, 2e-6, 'loss');
    assertClose(fused!.exitPdf, plain!.exitPdf, 2e-6, 'π');
    for (const [name, gradient] of plain!.gradients)
      assertClose([...(fused!.gradients.get(name) ?? [])], [...(gradient ?? [])], 2e-5, name);
  },
);

test('a bfloat16 model has a finite loss and gradients in its own dtype', () => {
  for (const config of configs) {
    withModels(
      loopRptCase(),
      (inputs) => {
        const { loss } = objectiveOf(config).loss(inputs);
        expect(loss.dtype).toBe('float32');
        backward(loss);
        const { grad } = inputs.student.weights.gateWeight;
        expect(grad!.dtype).toBe('bfloat16');
        expect(grad!.isfinite().all().item()).toBe(1);
      },
      'bfloat16',
    );
  }
});

test('settings: defaults are filled in, unknown keys and kinds are errors', () => {
  expect(objectiveConfigSchema.parse({ kind: 'looprpt' })).toMatchObject({ rho: 0.2, rolloutCount: 8, sigma: 0.1 });
  expect(() => objectiveConfigSchema.parse({ kind: 'looprpt', rolloutcount: 4 })).toThrow(/rolloutcount/);
  expect(() => objectiveConfigSchema.parse({ kind: 'looprpt', rho: 0 })).toThrow(/rho/);
  expect(() => objectiveConfigSchema.parse({ kind: 'ppo' })).toThrow(/kind/);
});
