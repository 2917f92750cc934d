import { backward, Generator, liveTensors, scope } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { assertClose } from '../../test-support/close.js';
import { batchWithSilentRow, loopRptCase, withModels } from '../../test-support/looprpt-case.js';
import { objectiveNumbers } from '../../test-support/objective-case.js';
import { LatentRandomness } from './looprpt/randomness.js';
import { needsTeacher, type ObjectiveConfig, objectiveConfigSchema, objectiveLoss, trains } from './objective.js';

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

const latent = () => new LatentRandomness(0.1, { noise: new Generator(1), exits: new Generator(2) });

describe.each(configs)('%o', (config) => {
  test('leaves no tensor behind, and has no use for a teacher where it says so', () => {
    withModels(loopRptCase(), ({ student, teacher, batch }) => {
      const random = latent();
      const step = (): number =>
        scope(() => {
          const models = { student, teacher: needsTeacher(config) ? teacher : null };
          const { loss } = objectiveLoss(config, { ...models, batch, random });
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
    withModels(loopRptCase(), ({ student, teacher, batch }) => {
      const report = objectiveLoss(config, { student, teacher, batch, random: latent() });
      expect(report.loss.requiresGrad).toBe(true);
      expect(report.loss.shape).toEqual([]);
      const logged = [...Object.values(report.parts), report.exitPdfKN, report.rewardKN, report.groupRewardsGN];
      for (const tensor of logged) expect(tensor?.requiresGrad ?? false).toBe(false);
      expect(report.rewardKN !== undefined).toBe(config.kind === 'looprpt');
      backward(report.loss);
      for (const { tensor } of teacher.parameters()) expect(tensor.grad).toBeNull();
    });
  });

  test('trains the weights that it says, and only those', () => {
    withModels(loopRptCase(), ({ student, teacher, batch }) => {
      student.setRequiresGrad((parameter) => trains(config, parameter));
      backward(objectiveLoss(config, { student, teacher, batch, random: latent() }).loss);
      for (const parameter of student.parameters()) {
        const gradient = parameter.tensor.grad;
        const trained = config.kind === 'gate' ? ['gateWeight', 'gateBias'].includes(parameter.name) : true;
        expect([trains(config, parameter), gradient !== null], parameter.name).toEqual([trained, trained]);
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
      ({ student, teacher, batch }) => {
        const { loss } = objectiveLoss(config, { student, teacher, batch, random: latent() });
        expect(loss.dtype).toBe('float32');
        backward(loss);
        const { grad } = student.weights.gateWeight;
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
