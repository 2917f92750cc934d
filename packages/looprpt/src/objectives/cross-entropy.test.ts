import { describe, expect, test } from 'vitest';
import { assertClose, transposed } from '../../test-support/close.js';
import { assertGradients } from '../../test-support/gradient-check.js';
import { fourLoops, type LoopRptCase, loopRptCase, threeLoops } from '../../test-support/looprpt-case.js';
import { objectiveNumbers } from '../../test-support/objective-case.js';
import type { SlowParams } from '../../test-support/slow/slow-loop-lm.js';
import {
  hardTokenLoss,
  type ObjectiveResult,
  stageTwoLoss,
  uniformLoss,
} from '../../test-support/slow/slow-objectives.js';
import { type SlowBatch, UNCOUNTED } from '../../test-support/slow/slow-readout.js';

/** The batch in which only the given tokens count: stage II's loss on a selection. */
function batchOfOnly(batch: SlowBatch, { tokens }: ObjectiveResult): SlowBatch {
  const targets = batch.targets.map((row, b) =>
    row.map((target, s) => (tokens.some((t) => t.row === b && t.position === s) ? target : UNCOUNTED)),
  );
  return { ...batch, targets };
}

function check(
  kind: { kind: 'uniform-ce' | 'hard-token-ce' } & Record<string, unknown>,
  of: LoopRptCase,
  slowLoss: (params: SlowParams) => ObjectiveResult,
): void {
  const { config, params } = of.student;
  const slow = slowLoss(params);
  const selected = batchOfOnly(of.slow.batch, slow);
  const continueLoss = (moved: SlowParams): number =>
    stageTwoLoss(config, moved, params, selected, { slope: 3, threshold: 0.1 }).loss;
  for (const gateWeight of [0, 0.7]) {
    const ours = objectiveNumbers({ ...kind, gateWeight, slope: 3, threshold: 0.1 }, of);
    const lossOf = (moved: SlowParams): number =>
      slowLoss(moved).loss + (gateWeight === 0 ? 0 : gateWeight * continueLoss(moved));
    assertClose(ours.loss, lossOf(params), 1e-12, 'loss');
    const gate = gateWeight === 0 ? {} : { gate: continueLoss(params) };
    const expected: Record<string, number> = { crossEntropy: slow.loss, ...gate };
    expect(Object.keys(ours.parts).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, part] of Object.entries(expected)) assertClose(ours.parts[name]!, part, 1e-12, name);
    assertClose(ours.exitPdf, transposed(slow.tokens.map((t) => t.exitPdf)), 1e-12, 'π');
    if (gateWeight > 0) assertGradients(ours.gradients, lossOf, params, { tolerance: 2e-10 });
    else expect(ours.gradients.get('model.early_exit_gate.weight')).toBeNull();
  }
}

describe.each([
  ['four loops', fourLoops],
  ['three loops, tied', threeLoops],
] as const)('%s: loss, parts and every gradient are those of the slow version', (_, student) => {
  test('uniform-ce', () => {
    const of = loopRptCase({}, { student });
    check({ kind: 'uniform-ce' }, of, (params) => uniformLoss(student.config, params, of.slow.batch));
  });

  test.each([
    { rho: 0.5, tau: 0.6, entropyAt: 'reference' },
    { rho: 0.2, tau: 0.3, entropyAt: 'last' },
  ] as const)('hard-token-ce, %o', (selection) => {
    const of = loopRptCase({}, { student });
    const slowSelection = { ...selection, entropySource: selection.entropyAt };
    check({ kind: 'hard-token-ce', ...selection }, of, (params) =>
      hardTokenLoss(student.config, params, of.teacher, of.slow.batch, slowSelection),
    );
  });
});

test('hard tokens with ρ = 1 are all tokens', () => {
  const of = loopRptCase();
  const [all, uniform] = [
    objectiveNumbers({ kind: 'hard-token-ce', rho: 1 }, of),
    objectiveNumbers({ kind: 'uniform-ce' }, of),
  ];
  expect(all).toEqual(uniform);
});
