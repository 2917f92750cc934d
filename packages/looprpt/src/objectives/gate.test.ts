import { describe, expect, test } from 'vitest';
import { assertClose, transposed } from '../../test-support/close.js';
import { assertGradients } from '../../test-support/gradient-check.js';
import { fourLoops, loopRptCase, threeLoops } from '../../test-support/looprpt-case.js';
import { objectiveNumbers } from '../../test-support/objective-case.js';
import { stageTwoLoss } from '../../test-support/slow/slow-objectives.js';
import { mean } from '../../test-support/slow/slow-readout.js';
import { tinyModel } from '../../test-support/slow/tiny-model.js';

describe.each([
  ['four loops', fourLoops],
  ['three loops, tied', threeLoops],
] as const)('%s', (_, student) => {
  test.each([{}, { slope: 2, threshold: 0.3 }, { slope: 2, threshold: -0.3 }])(
    'loss, parts and the gradient of the gate are those of the slow version, nothing else has one: %o',
    (settings) => {
      const of = loopRptCase({}, { student });
      const { config, params } = student;
      const target = { slope: 50, threshold: 0.005, ...settings };
      const slow = stageTwoLoss(config, params, params, of.slow.batch, target);
      const ours = objectiveNumbers({ kind: 'gate', ...settings }, of);
      assertClose(ours.loss, slow.loss, 1e-12, 'loss');
      assertClose(ours.parts.gate!, slow.loss, 1e-12, 'gate');
      const crossEntropy = mean(slow.tokens.map((t) => -t.logProbs.reduce((sum, l, k) => sum + t.exitPdf[k]! * l, 0)));
      assertClose(ours.parts.crossEntropy!, crossEntropy, 1e-12, 'cross-entropy');
      expect(Object.keys(ours.parts)).toHaveLength(2);
      assertClose(ours.exitPdf, transposed(slow.tokens.map((t) => t.exitPdf)), 1e-12, 'π');
      for (const [name, gradient] of ours.gradients) expect(gradient !== null, name).toBe(name.includes('exit_gate'));
      const lossOf = (moved: typeof params): number => stageTwoLoss(config, moved, params, of.slow.batch, target).loss;
      assertGradients(ours.gradients, lossOf, params, { tolerance: 1e-10 });
    },
  );
});

test('a model of one loop has no gate to train', () => {
  const ours = objectiveNumbers({ kind: 'gate' }, loopRptCase({}, { student: tinyModel(41, { loops: 1 }) }));
  expect(ours.loss).toBeCloseTo(0, 15);
  expect(ours.gradients.get('model.early_exit_gate.bias')).toEqual(Float64Array.of(0));
});
