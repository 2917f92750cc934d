import { randn, scope, stack, tensor } from '@looprpt/engine';
import { expect, test } from 'vitest';
import { assertClose } from '../../test-support/close.js';
import { loopRptCase, withModels } from '../../test-support/looprpt-case.js';
import { entropy } from '../../test-support/slow/slow-exit.js';
import { forward, headLogits, logSoftmax } from '../../test-support/slow/slow-loop-lm.js';
import { countedPlaces, statesAt } from '../../test-support/slow/slow-readout.js';
import { atPlaces, gateLogitsByLoop, nextTokenEntropy, targetLogProbs } from './readout.js';

test('the states at flat places are those of their rows and positions', () => {
  const of = loopRptCase();
  const { config, params } = of.student;
  const pass = forward(config, params, of.slow.batch);
  withModels(of, ({ student, batch }) => {
    const statesKNE = stack(student.states(batch).map((hiddenBTE) => atPlaces(hiddenBTE, batch.countedN)));
    const expected = countedPlaces(of.slow.batch).map((place) => statesAt(pass, place));
    assertClose(statesKNE.transpose(0, 1).toArray<number[][][]>(), expected, 1e-12, 'states');
  });
});

test('entropies, also of more rows than one piece holds', () => {
  const of = loopRptCase();
  withModels(of, ({ student }) => {
    const few = randn([3, 8], { dtype: 'float64' });
    const expected = few
      .toArray<number[][]>()
      .map((hidden) => entropy(logSoftmax(headLogits(of.student.config, of.student.params, hidden)).map(Math.exp)));
    const many = few.unsqueeze(0).expand(3001, 3, 8).reshape(9003, 8);
    const entropies = nextTokenEntropy(student, many);
    expect(entropies.requiresGrad).toBe(false);
    assertClose(
      entropies.view(3001, 3).toArray<number[][]>(),
      Array.from({ length: 3001 }, () => expected),
      1e-12,
    );
  });
});

test('log-probabilities and gate logits of a half-precision model are float32', () => {
  withModels(
    loopRptCase(),
    ({ student, batch }) =>
      scope(() => {
        const statesK = student.states(batch);
        expect(statesK[0]!.dtype).toBe('bfloat16');
        const targetsN = tensor([3], { dtype: 'int64' });
        const rows = atPlaces(statesK[0]!, tensor([1], { dtype: 'int64' }));
        expect(targetLogProbs(student, rows, targetsN).dtype).toBe('float32');
        expect(nextTokenEntropy(student, rows).dtype).toBe('float32');
        expect(gateLogitsByLoop(student, statesK, targetsN, false).dtype).toBe('float32');
      }),
    'bfloat16',
  );
});
