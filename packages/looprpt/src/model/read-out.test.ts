import { liveTensors, randn, scope, stack, tensor } from '@looprpt/engine';
import { expect, test } from 'vitest';
import { assertClose } from '../../test-support/close.js';
import { loopRptCase, withModels } from '../../test-support/looprpt-case.js';
import { entropy } from '../../test-support/slow/slow-exit.js';
import { forward, headLogits, logSoftmax } from '../../test-support/slow/slow-loop-lm.js';
import { countedPlaces, statesAt } from '../../test-support/slow/slow-readout.js';
import { atPlaces, gateLogitsByLoop, inPieces, nextTokenEntropy, statesAtStep, targetLogProbs } from './read-out.js';

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

test('logits in pieces are those of the whole, no piece is larger than allowed, and none is left behind', () => {
  withModels(loopRptCase(), ({ student }) => {
    student.setRequiresGrad(true);
    const [N, V] = [7, student.config.vocabSize];
    const hiddenNE = randn([N, student.config.hiddenSize], { dtype: 'float64' });
    const whole = student.logits(hiddenNE).toArray<number[][]>();
    const before = liveTensors();
    for (const most of [1, V, 3 * V + 1, 100 * V]) {
      const rows = Math.max(1, Math.floor(most / V));
      const pieces = inPieces(
        student,
        hiddenNE,
        (logitsCV, from) => {
          expect(logitsCV.requiresGrad).toBe(false);
          return { from, rows: logitsCV.toArray<number[][]>() };
        },
        most,
      );
      expect(pieces.map(({ from }) => from)).toEqual(pieces.map((_, i) => i * rows));
      for (const piece of pieces) expect(piece.rows.length).toBeLessThanOrEqual(rows);
      assertClose(
        pieces.flatMap((piece) => piece.rows),
        whole,
        1e-12,
        'logits',
      );
    }
    expect(liveTensors()).toBe(before);
  });
});

test('states at a step are those of each place at its own', () => {
  scope(() => {
    const statesK = [0, 1, 2].map((k) => randn([2, 5, 4], { dtype: 'float64' }).add(10 * k));
    const steps = [
      [0, 2, 1, 1, 0],
      [2, 2, 0, 1, 0],
    ];
    const chosen = statesAtStep(statesK, tensor(steps, { dtype: 'int64' })).toArray<number[][][]>();
    const all = statesK.map((states) => states.toArray<number[][][]>());
    expect(chosen).toEqual(steps.map((row, b) => row.map((k, t) => all[k]![b]![t])));
  });
});
