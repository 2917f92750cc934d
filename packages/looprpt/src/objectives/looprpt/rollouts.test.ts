import { type DType, noGrad, stack, type Tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertClose } from '../../../test-support/close.js';
import { FixedRandomness } from '../../../test-support/fixed-randomness.js';
import {
  batchWithSilentRow,
  fourLoops,
  type LoopRptCase,
  loopRptCase,
  type ProductModels,
  threeLoops,
  withModels,
} from '../../../test-support/looprpt-case.js';
import { hardRollout } from '../../../test-support/slow/slow-hard-rollout.js';
import { forward } from '../../../test-support/slow/slow-loop-lm.js';
import { countedPlaces, statesAt } from '../../../test-support/slow/slow-readout.js';
import type { TinyModel } from '../../../test-support/slow/tiny-model.js';
import { LoopLM } from '../../model/loop-lm.js';
import type { TrainingBatch } from '../batch.js';
import { hardTokensOf } from './hard-tokens.js';
import type { CleanPass } from './rollout-types.js';
import { exploration } from './rollouts.js';

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
    const clean = cleanPass(student, batch);
    // What a pass is after a loop shows in its state if it stops there.
    const statesK = clean.statesK.map((_, loop) => {
      const exits = of.slow.exits.map((ofRollout) => ofRollout.map((row) => row.map(() => loop)));
      const random = new FixedRandomness({ ...of.slow, exits }, countedPlaces(of.slow.batch));
      const config = { ...of.config, rewardFrom: 'own' } as const;
      return exploration.run({ model: student, batch, hard, clean, random }, config).statesGME!;
    });
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

test('hard passes that stop at different loops are what they are where all stop there', () => {
  const of = loopRptCase({ rollouts: 'hard' }, { student: fourLoops, batch: batchWithSilentRow });
  const states = productStates(of);
  const exitArbitrary = fc.infiniteStream(fc.nat(3));
  fc.assert(
    fc.property(exitArbitrary, (chosen) => {
      const exits = of.slow.exits.map((ofRollout) => ofRollout.map((row) => row.map(() => chosen.next().value)));
      const mixed = withModels(of, ({ student, batch }) =>
        noGrad(() => {
          const { hard } = hardTokensOf(student, batch, { ...of.config, rho: 1 });
          const random = new FixedRandomness({ ...of.slow, exits }, countedPlaces(of.slow.batch));
          const config = { ...of.config, rewardFrom: 'own' } as const;
          const clean = cleanPass(student, batch);
          const explored = exploration.run({ model: student, batch, hard, clean, random }, config);
          const probabilities = explored.logProbsGM.exp().toArray<number[][]>();
          assertClose(probabilities, random.exitPdfGM!, 1e-12, 'π at the exits');
          return [explored.exitsGM.toArray<number[][]>(), explored.statesGME!.toArray<number[][][]>()] as const;
        }),
      );
      const [exitsGM, statesGME] = mixed;
      const expected = exitsGM.map((ofRollout, g) => ofRollout.map((exit, m) => states[g]![m]![exit]!));
      assertClose(statesGME, expected, 1e-12, 'states');
    }),
    { numRuns: 25 },
  );
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
