import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assertClose } from '../../../test-support/close.js';
import {
  batchWithSilentRow,
  fourLoops,
  loopRptCase,
  threeLoops,
  withModels,
} from '../../../test-support/looprpt-case.js';
import { UNCOUNTED } from '../../../test-support/slow/slow-readout.js';
import { hardTokens, teacherTokens } from '../../../test-support/slow/slow-teacher.js';
import { chooseHard, hardTokensOf } from './hard-tokens.js';

const settings = [0.2, 0.5, 0.99, 2].flatMap((tau) =>
  (['reference', 'last'] as const).flatMap((entropyAt) => [0.1, 0.5, 1].map((rho) => ({ tau, entropyAt, rho }))),
);

test.each([fourLoops, threeLoops])('H_t, t_ref and the hard tokens are those of the slow teacher', (student) => {
  withModels(loopRptCase({}, { student }), ({ teacher, batch }) => {
    const { slow } = loopRptCase({}, { student });
    for (const { tau, entropyAt, rho } of settings) {
      const tokens = teacherTokens(slow.config, slow.teacher, slow.batch, { tau, entropySource: entropyAt });
      const expected = hardTokens(tokens, rho);
      const view = hardTokensOf(teacher, batch, { tau, entropyAt, rho });
      const places = expected.map(({ row, position }) => row * batch.T + position);
      expect(view.hard.placesN.toArray()).toEqual(places);
      expect(view.hard.targetsN.toArray()).toEqual(expected.map((token) => token.target));
      expect(view.referenceStepM.toArray()).toEqual(expected.map((token) => token.referenceStep));
      assertClose(
        view.entropyM.toArray(),
        expected.map((token) => token.entropy),
        1e-12,
        'H',
      );
    }
  });
});

test('the table per row holds the same places, filled up with place 0', () => {
  const of = loopRptCase({ rho: 1 }, { batch: batchWithSilentRow });
  withModels(of, ({ teacher, batch }) => {
    const { hard } = hardTokensOf(teacher, batch, of.config);
    // The rows have 5, 0 and 2 counted places.
    expect(hard.placesBQ.toArray()).toEqual([
      [0, 1, 2, 4, 5],
      [0, 0, 0, 0, 0],
      [1, 2, 0, 0, 0],
    ]);
    expect(hard.cellsM.toArray()).toEqual([0, 1, 2, 3, 4, 10, 11]);
    expect(hard.placesN.toArray()).toEqual([0, 1, 2, 4, 5, 13, 14]);
  });
});

test('nothing carries gradient', () => {
  withModels(loopRptCase(), ({ student, batch }) => {
    const { hard: _, entropyM, statesK } = hardTokensOf(student, batch, { rho: 0.5, tau: 0.5, entropyAt: 'last' });
    for (const tensor of [entropyM, ...statesK]) expect(tensor.requiresGrad).toBe(false);
  });
});

test('a batch without counted places is an error of the caller', () => {
  const ids = [[3, 1, 4]];
  const of = loopRptCase({}, { batch: { ids, targets: [[UNCOUNTED, UNCOUNTED, UNCOUNTED]] } });
  withModels(of, ({ teacher, batch }) => {
    expect(() => hardTokensOf(teacher, batch, of.config)).toThrow(/no place of the batch counts/);
  });
});

test('property: the choice is that of the slow version, ties to the earlier place included', () => {
  const rows = fc.array(
    fc.array(fc.record({ counts: fc.boolean(), entropy: fc.integer({ min: 0, max: 3 }) }), {
      minLength: 7,
      maxLength: 7,
    }),
    { minLength: 1, maxLength: 4 },
  );
  const anyRho = fc.oneof(fc.constant(1), fc.constant(0.2), fc.double({ min: 0.01, max: 1, noNaN: true }));
  fc.assert(
    fc.property(rows, anyRho, (rowsOfPlaces, rho) => {
      const tokens = rowsOfPlaces.flatMap((places, row) =>
        places.flatMap(({ counts, entropy }, position) =>
          counts ? [{ row, position, entropy, target: 0, referenceStep: 0, logProbs: [], exitPdf: [] }] : [],
        ),
      );
      fc.pre(tokens.length > 0);
      const counted = Int32Array.from(tokens, ({ row, position }) => row * 7 + position);
      const entropies = Float64Array.from(tokens, (token) => token.entropy);
      const chosen = [...chooseHard(counted, entropies, 7, rho)].map((n) => tokens[n]);
      expect(chosen).toEqual(hardTokens(tokens, rho));
    }),
  );
});
