import { type DType, noGrad, stack, type Tensor } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { LoopLM } from '../../model/loop-lm.js';
import { assertClose } from '../../testing/close.js';
import { FixedRandomness } from '../../testing/fixed-randomness.js';
import {
  batchWithSilentRow,
  fourLoops,
  type LoopRptCase,
  loopRptCase,
  type ProductModels,
  threeLoops,
  withModels,
} from '../../testing/looprpt-case.js';
import { hardRollout } from '../../testing/slow/slow-hard-rollout.js';
import { forward } from '../../testing/slow/slow-loop-lm.js';
import { countedPlaces, statesAt } from '../../testing/slow/slow-readout.js';
import type { TinyModel } from '../../testing/slow/tiny-model.js';
import type { TrainingBatch } from '../batch.js';
import { hardTokensOf } from './hard-tokens.js';
import { type CleanPass, rollouts } from './rollouts.js';

function cleanPass(student: LoopLM, batch: TrainingBatch): CleanPass {
  const context = student.context(batch);
  const qkv: Tensor[][] = [];
  return { statesK: student.states(batch, { keep: qkv }, context), context, qkv };
}

/** States [g][m][k][e] of a case whose hard tokens are all counted ones. */
function productStates(
  of: LoopRptCase,
  { windows, dtype = 'float64' }: { windows?: (number | null)[]; dtype?: DType } = {},
): number[][][][] {
  const states = ({ student: model, batch }: ProductModels): number[][][][] => {
    const student = windows ? new LoopLM({ ...model.config, windows }, model.weights) : model;
    const { hard } = hardTokensOf(student, batch, { ...of.config, rho: 1 });
    const random = new FixedRandomness(of.slow, countedPlaces(of.slow.batch));
    const clean = cleanPass(student, batch);
    const statesK = rollouts({ model: student, batch, hard, clean, random }, of.config);
    return stack(statesK).permute(1, 2, 0, 3).toArray<number[][][][]>();
  };
  return withModels(of, (models) => noGrad(() => states(models)), dtype);
}

function slowStates({ student: { config, params }, slow }: LoopRptCase): number[][][][] {
  const { batch, noise, settings } = slow;
  const clean = forward(config, params, batch);
  return noise.map((ofRollout) => {
    const noisy = forward(config, params, batch, ofRollout);
    return countedPlaces(batch).map((place) => {
      const { row, position } = place;
      if (settings.rollouts === 'full') return statesAt(noisy, place);
      const here = ofRollout.map((ofLoop) => ofLoop[row]![position]!);
      return hardRollout(config, params, { start: clean, context: clean }, batch, row, position, here);
    });
  });
}

describe.each([
  ['four loops', fourLoops],
  ['three loops, tied', threeLoops],
] as const)('%s', (_, student: TinyModel) => {
  test.each(['full', 'hard'] as const)('states of %s rollouts are those of the slow version', (kind) => {
    const of = loopRptCase({ rollouts: kind }, { student, batch: batchWithSilentRow });
    const expected = slowStates(of);
    assertClose(productStates(of), expected, 1e-12, 'states');
    assertClose(productStates(of, { dtype: 'float32' }), expected, 2e-5, 'states in float32');
  });

  test('without noise both are the clean pass; with noise they differ', () => {
    const [full, hard] = (['full', 'hard'] as const).map((kind) =>
      productStates(loopRptCase({ rollouts: kind, sigma: 0 }, { student })),
    );
    assertClose(hard!, full!, 1e-13, 'states');
    const noisy = (kind: 'full' | 'hard'): number[][][][] =>
      productStates(loopRptCase({ rollouts: kind }, { student }));
    expect(() => assertClose(noisy('hard'), noisy('full'), 1e-3)).toThrow(/expected/);
  });
});

test.each([
  ['float64', 1e-13],
  ['float32', 2e-5],
] as const)('hard rollouts see what their place sees under a sliding window, %s', (dtype, tolerance) => {
  // The slow model has no windows; full rollouts without noise are the windowed clean pass.
  const states = (kind: 'full' | 'hard', windows: (number | null)[]): number[][][][] =>
    productStates(loopRptCase({ rollouts: kind, sigma: 0 }), { windows, dtype });
  assertClose(states('hard', [2, null]), states('full', [2, null]), tolerance, 'states');
  expect(() => assertClose(states('full', [2, null]), states('full', [null, null]), 1e-3)).toThrow(/expected/);
});
