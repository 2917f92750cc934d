import { describe, expect, test } from 'vitest';
import { assertClose, transposed } from '../../test-support/close.js';
import { assertGradients } from '../../test-support/gradient-check.js';
import { fourLoops, loopRptCase, threeLoops } from '../../test-support/looprpt-case.js';
import { objectiveNumbers } from '../../test-support/objective-case.js';
import { entropy } from '../../test-support/slow/slow-exit.js';
import { stageOneLoss } from '../../test-support/slow/slow-objectives.js';
import { mean } from '../../test-support/slow/slow-readout.js';
import { tinyModel } from '../../test-support/slow/tiny-model.js';

describe.each([
  ['four loops', fourLoops],
  ['three loops, tied', threeLoops],
  ['one loop', tinyModel(41, { loops: 1 })],
] as const)('%s', (_, student) => {
  test.each([0.1, 0])('loss, parts and every gradient are those of the slow version, β = %d', (beta) => {
    const of = loopRptCase({}, { student });
    const slow = stageOneLoss(student.config, student.params, of.slow.batch, { beta });
    const ours = objectiveNumbers({ kind: 'stage1', beta }, of);
    assertClose(ours.loss, slow.loss, 1e-12, 'loss');
    const crossEntropy = mean(slow.tokens.map((t) => -t.logProbs.reduce((sum, l, k) => sum + t.exitPdf[k]! * l, 0)));
    assertClose(ours.parts.crossEntropy!, crossEntropy, 1e-12, 'cross-entropy');
    assertClose(ours.parts.exitEntropy!, mean(slow.tokens.map((t) => entropy(t.exitPdf))), 1e-12, 'H(π)');
    expect(Object.keys(ours.parts)).toHaveLength(2);
    assertClose(ours.exitPdf, transposed(slow.tokens.map((t) => t.exitPdf)), 1e-12, 'π');
    const lossOf = (params: typeof student.params): number =>
      stageOneLoss(student.config, params, of.slow.batch, { beta }).loss;
    assertGradients(ours.gradients, lossOf, student.params, { tolerance: 2e-10, elements: 1 });
  });
});
