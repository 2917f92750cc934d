import { type Tensor, tensor } from '@looprpt/engine';
import { expect, test } from 'vitest';
import { assertClose, transposed } from '../../../test-support/close.js';
import { loopRptCase, productStep, slowStep, withModels } from '../../../test-support/looprpt-case.js';
import { atStep } from '../../model/exit.js';
import { targetLogProbsByLoop } from '../../model/read-out.js';
import { hardTokensOf } from './hard-tokens.js';
import { rewardOf, rewardTable, timePenalty } from './reward.js';

const wide = (values: number[] | number[][]): Tensor => tensor(values, { dtype: 'float64' });

test.each([
  { lambdaBase: 0.1, lambdaScale: 1 },
  { lambdaBase: 0.3, lambdaScale: 2.5, entropyAt: 'last' },
  { lambdaBase: 0.2, lambdaScale: 0 },
  { lambdaBase: 0 },
] as const)('b_ref, λ_t and R(k) are those of the slow version, %o', (overrides) => {
  const of = loopRptCase({ ...overrides, rho: 1 });
  const { tokens } = slowStep(of).result;
  withModels(of, ({ teacher, batch }) => {
    const { hard, entropyM, referenceStepM, statesK } = hardTokensOf(teacher, batch, of.config);
    const logProbsKM = targetLogProbsByLoop(teacher, statesK, hard.placesN, hard.targetsN);
    const teacherLogProbs = transposed(tokens.map((token) => token.teacher.logProbs));
    assertClose(logProbsKM.toArray(), teacherLogProbs, 1e-12, 'ℓ of the teacher');
    const baselines = tokens.map((token) => token.baseline);
    assertClose(atStep(logProbsKM, referenceStepM).toArray(), baselines, 1e-12, 'b_ref');
    const timePenalties = tokens.map((token) => token.timePenalty);
    assertClose(timePenalty(entropyM, of.student.config.vocabSize, of.config).toArray(), timePenalties, 1e-12, 'λ');
  });
  const rewards = transposed(tokens.map((token) => token.rewards));
  assertClose(productStep({ ...of, config: { ...of.config, policy: 'closed' } }).rewards, rewards, 1e-11, 'R');
});

test('by hand: 3 loops, t_ref at the second, a token as hard as can be and one that is sure', () => {
  const { config } = loopRptCase({ lambdaBase: 0.5, lambdaScale: 3 });
  const timePenaltyM = timePenalty(wide([Math.log(7), 0]), 7, config);
  assertClose(timePenaltyM.toArray(), [0.5, 2], 1e-15);
  const terms = { baselineM: wide([-1, -2]), timePenaltyM, referenceStepM: tensor([1, 1], { dtype: 'int64' }) };
  const tableKM = rewardTable(
    wide([
      [-3, -3],
      [-2, -2],
      [-1, -1],
    ]),
    terms,
  );
  const expected = [
    [-3 + 1 + 0.5, -3 + 2 + 2],
    [-2 + 1, -2 + 2],
    [-1 + 1 - 0.5, -1 + 2 - 2],
  ];
  assertClose(tableKM.toArray(), expected, 1e-15);
  const own = rewardOf(wide([-1, -3]), tensor([2, 0], { dtype: 'int64' }), terms);
  assertClose(own.toArray(), [expected[2]![0]!, expected[0]![1]!], 1e-15);
});

test('difficulty is kept between 0 and 1: rounding of H above log |V| does not turn a price into a payment', () => {
  const { config } = loopRptCase({ lambdaBase: 1, lambdaScale: 10 });
  assertClose(timePenalty(wide([Math.log(7) * 1.5, -0.1]), 7, config).toArray(), [1, 11], 1e-15);
});

test('rewards carry no gradient', () => {
  const logProbsKM = wide([[-1], [-2]]);
  logProbsKM.requiresGrad = true;
  const terms = { baselineM: wide([0]), timePenaltyM: wide([0]), referenceStepM: tensor([0], { dtype: 'int64' }) };
  expect(rewardTable(logProbsKM, terms).requiresGrad).toBe(false);
});
