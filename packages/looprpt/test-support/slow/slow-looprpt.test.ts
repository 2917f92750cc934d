import { describe, expect, test } from 'vitest';
import { finiteDifferenceGradient } from './slow-gradient.js';
import type { SlowParams } from './slow-loop-lm.js';
import { forward, headLogits, logSoftmax } from './slow-loop-lm.js';
import { freezeLoopRpt, loopRptLoss } from './slow-looprpt.js';
import type { SlowLoopRptResult, SlowLoopRptSettings, SlowLoopRptSetup } from './slow-looprpt-types.js';
import { defaultSlowLoopRptSettings } from './slow-looprpt-types.js';
import { mean, UNCOUNTED } from './slow-readout.js';
import { latentNoise, nearbyParams, random, tinyModel } from './tiny-model.js';

const { config, params } = tinyModel(21, { loops: 4 });
const ROLLOUTS = 4;
const numbers = random(23);
const base: SlowLoopRptSetup = {
  config,
  teacher: nearbyParams(params, 22, 0.15),
  batch: {
    ids: [
      [3, 1, 4, 1, 5, 9],
      [2, 6, 5, 3, 5, 8],
    ],
    segments: [
      [0, 0, 0, 0, 0, 0],
      [0, 0, 0, 1, 1, 1],
    ],
    targets: [
      [1, 4, 1, 5, 9, UNCOUNTED],
      [6, 5, UNCOUNTED, 5, 8, UNCOUNTED],
    ],
  },
  settings: { ...defaultSlowLoopRptSettings, rho: 0.4 },
  noise: latentNoise(config, 24, 0.1, { rollouts: ROLLOUTS, rows: 2, length: 6 }),
  exits: Array.from({ length: ROLLOUTS }, () => [0, 1].map(() => Array.from({ length: 6 }, () => numbers.below(4)))),
};
const silence = latentNoise(config, 24, 0, { rollouts: ROLLOUTS, rows: 2, length: 6 });
const only = { alpha: 0, beta: 0, gamma: 0, delta: 0 };

function setupWith(settings: Partial<SlowLoopRptSettings>, more: Partial<SlowLoopRptSetup> = {}): SlowLoopRptSetup {
  return { ...base, ...more, settings: { ...base.settings, ...settings } };
}

function evaluate(settings: Partial<SlowLoopRptSettings>, more: Partial<SlowLoopRptSetup> = {}): SlowLoopRptResult {
  return loopRptLoss(setupWith(settings, more), params, params);
}

/** Largest |gradient| over some 16 elements of one tensor, the constants frozen at `params`. */
function gradientSize(settings: Partial<SlowLoopRptSettings>, name: string, more: Partial<SlowLoopRptSetup> = {}) {
  const loss = freezeLoopRpt(setupWith(settings, more), params);
  const size = params[name]!.data.length;
  let largest = 0;
  for (let index = 0; index < size; index += Math.ceil(size / 16)) {
    const gradient = finiteDifferenceGradient((moved) => loss(moved).loss, params, name, index);
    largest = Math.max(largest, Math.abs(gradient));
  }
  return largest;
}

const GATE = 'model.early_exit_gate.weight';
const HEAD = 'lm_head.weight';
const EMBEDDING = 'model.embed_tokens.weight';
const QUERY = 'model.layers.0.self_attn.q_proj.weight';
const KEY = 'model.layers.1.self_attn.k_proj.weight';
const NORM = 'model.norm.weight';

describe('rewards', () => {
  test('one more loop pays the gain in log-probability less the time penalty', () => {
    for (const token of evaluate({ lambdaBase: 0.1, lambdaScale: 2 }).tokens) {
      expect(token.timePenalty).toBeGreaterThanOrEqual(0.1);
      expect(token.timePenalty).toBeLessThanOrEqual(0.3);
      expect(token.timePenalty).toBeCloseTo(0.3 - 0.2 * (token.teacher.entropy / Math.log(11)), 12);
      for (let k = 0; k < 3; k++) {
        const gain = token.logProbs[k + 1]! - token.logProbs[k]!;
        expect(token.rewards[k + 1]! - token.rewards[k]!).toBeCloseTo(gain - token.timePenalty, 12);
      }
      const atReference = token.teacher.referenceStep;
      const headStart = token.logProbs[atReference]! - token.teacher.logProbs[atReference]!;
      expect(token.rewards[atReference]).toBeCloseTo(headStart, 12);
    }
  });

  test('a rollout is paid from the table, or for its own state, which is the same without noise', () => {
    const table = evaluate({ rewardSource: 'table' });
    for (const token of table.tokens) {
      for (const { exit, reward } of token.rollouts) expect(reward).toBe(token.rewards[exit]);
    }
    const own = evaluate({ rewardSource: 'own' });
    const rewardsOf = (result: SlowLoopRptResult) => result.tokens.flatMap((t) => t.rollouts.map((r) => r.reward));
    expect(rewardsOf(own)).not.toEqual(rewardsOf(table));
    const silent = evaluate({ rewardSource: 'own' }, { noise: silence });
    for (const [n, reward] of rewardsOf(silent).entries()) expect(reward).toBeCloseTo(rewardsOf(table)[n]!, 12);
  });
});

describe('advantages', () => {
  const spread = (values: number[]) => Math.sqrt(mean(values.map((v) => v * v)) - mean(values) ** 2);

  test('per token: mean 0 and standard deviation 1 over the rollouts and over the loops', () => {
    for (const token of evaluate({ advantage: 'token', epsilon: 1e-12 }).tokens) {
      const groups = [token.stepAdvantages, token.rollouts.map((rollout) => rollout.advantage)];
      for (const group of groups) {
        expect(mean(group)).toBeCloseTo(0, 10);
        expect(spread(group)).toBeCloseTo(1, 6);
      }
    }
  });

  test('over the batch: mean 0 and standard deviation 1 over all tokens together, not for each', () => {
    const { tokens } = evaluate({ advantage: 'batch', epsilon: 1e-12 });
    const groups = [
      tokens.map((token) => token.stepAdvantages),
      tokens.map((token) => token.rollouts.map((rollout) => rollout.advantage)),
    ];
    for (const group of groups) {
      expect(mean(group.flat())).toBeCloseTo(0, 10);
      expect(spread(group.flat())).toBeCloseTo(1, 6);
      expect(Math.abs(mean(group[0]!))).toBeGreaterThan(1e-3);
    }
  });

  test('none: the rewards themselves; and the sample deviation on request', () => {
    for (const token of evaluate({ advantage: 'none' }).tokens) expect(token.stepAdvantages).toEqual(token.rewards);
    const [population, sample] = ([0, 1] as const).map((stdCorrection) => evaluate({ stdCorrection, epsilon: 0 }));
    const ratio = population!.tokens[0]!.stepAdvantages[0]! / sample!.tokens[0]!.stepAdvantages[0]!;
    expect(ratio).toBeCloseTo(Math.sqrt(4 / 3), 10);
  });

  test('a group whose rollouts all exit at the same loop teaches nothing', () => {
    const exits = base.exits.map((rows) => rows.map((row) => row.map(() => 2)));
    expect(evaluate({}, { exits }).parts.policy).toBeCloseTo(0, 12);
    expect(gradientSize({ ...only, alpha: 1 }, GATE, { exits })).toBeLessThan(1e-9);
  });

  test('closed form: mean 0 and variance 1 under π, so that the value of L_PG is 0; or over the loops', () => {
    const weighted = evaluate({ policy: 'closed', epsilon: 1e-12 });
    for (const { closedFormAdvantages: advantages, exitPdf } of weighted.tokens) {
      expect(advantages.reduce((sum, a, k) => sum + exitPdf[k]! * a, 0)).toBeCloseTo(0, 10);
      expect(advantages.reduce((sum, a, k) => sum + exitPdf[k]! * a * a, 0)).toBeCloseTo(1, 6);
    }
    expect(weighted.parts.policy).toBeCloseTo(0, 10);
    for (const token of evaluate({ policy: 'closed', closedFormWeighting: 'uniform' }).tokens) {
      expect(token.closedFormAdvantages).toEqual(token.stepAdvantages);
    }
    const { tokens } = evaluate({ policy: 'closed', advantage: 'batch', epsilon: 1e-12 });
    const moment = (power: number) =>
      mean(tokens.map((t) => t.exitPdf.reduce((sum, p, k) => sum + p * t.closedFormAdvantages[k]! ** power, 0)));
    expect(moment(1)).toBeCloseTo(0, 10);
    expect(moment(2)).toBeCloseTo(1, 6);
  });
});

describe('what cancels', () => {
  const taus = [0.1, 0.5, 0.95];
  const steps = (tau: number) =>
    evaluate({ tau, entropySource: 'last' }).tokens.map((token) => token.teacher.referenceStep);

  test.each(['rollouts', 'closed'] as const)('τ has no effect on loss and gradient per token (%s)', (policy) => {
    expect(steps(0.1)).not.toEqual(steps(0.95));
    const settings = { policy, entropySource: 'last', weightGradient: 'backbone', policyGradient: 'backbone' } as const;
    const losses = taus.map((tau) => freezeLoopRpt(setupWith({ ...settings, tau }), params));
    const values = losses.map((loss) => loss(params).loss);
    for (const value of values) expect(value).toBeCloseTo(values[0]!, 9);
    for (const name of [GATE, NORM]) {
      const gradients = losses.map((loss) => finiteDifferenceGradient((p) => loss(p).loss, params, name, 1));
      for (const gradient of gradients) expect(gradient).toBeCloseTo(gradients[0]!, 7);
    }
  });

  test.each(['batch', 'none'] as const)('τ does have an effect with advantage %s', (advantage) => {
    const [low, high] = [0.1, 0.95].map((tau) => evaluate({ tau, entropySource: 'last', advantage }).loss);
    expect(Math.abs(low! - high!)).toBeGreaterThan(1e-4);
  });
});

describe('how far each gradient reaches', () => {
  const variants: Partial<SlowLoopRptSettings>[] = [
    { policy: 'rollouts', rollouts: 'full' },
    { policy: 'rollouts', rollouts: 'hard' },
    { policy: 'closed' },
  ];

  test.each(variants)('policy gradient, %o', (variant) => {
    const settings = { ...only, alpha: 1, ...variant };
    expect(gradientSize({ ...settings, policyGradient: 'gate' }, GATE)).toBeGreaterThan(1e-4);
    for (const name of [QUERY, NORM, HEAD]) expect(gradientSize({ ...settings, policyGradient: 'gate' }, name)).toBe(0);
    for (const name of [GATE, QUERY, NORM]) {
      expect(gradientSize({ ...settings, policyGradient: 'backbone' }, name)).toBeGreaterThan(1e-4);
    }
    expect(gradientSize({ ...settings, policyGradient: 'backbone' }, HEAD)).toBe(0);
  });

  test('hard rollouts reach keys and the embedding only through what is live', () => {
    const settings = { ...only, alpha: 1, rollouts: 'hard', policyGradient: 'backbone' } as const;
    for (const name of [KEY, EMBEDDING]) expect(gradientSize(settings, name)).toBe(0);
    expect(gradientSize({ ...settings, rolloutStart: 'live' }, EMBEDDING)).toBeGreaterThan(1e-4);
    expect(gradientSize({ ...settings, rolloutKeysValues: 'live' }, KEY)).toBeGreaterThan(1e-5);
  });

  test('entropy', () => {
    const settings = { ...only, gamma: 1 };
    expect(gradientSize(settings, GATE)).toBeGreaterThan(1e-4);
    expect(gradientSize(settings, NORM)).toBe(0);
    expect(gradientSize({ ...settings, entropyGradient: 'backbone' }, NORM)).toBeGreaterThan(1e-4);
  });

  test('representation loss: no gate, unless its weights carry gradient', () => {
    const settings = { ...only, beta: 1 };
    expect(gradientSize(settings, GATE)).toBe(0);
    for (const name of [HEAD, NORM, KEY, EMBEDDING]) expect(gradientSize(settings, name)).toBeGreaterThan(1e-4);
    expect(gradientSize({ ...settings, weightGradient: 'gate' }, GATE)).toBeGreaterThan(1e-4);
    const through = (weightGradient: 'none' | 'gate' | 'backbone') => {
      const loss = freezeLoopRpt(setupWith({ ...settings, weightGradient }), params);
      return finiteDifferenceGradient((p) => loss(p).loss, params, NORM, 0);
    };
    expect(through('gate')).toBe(through('none'));
    expect(Math.abs(through('backbone') - through('none'))).toBeGreaterThan(1e-5);
  });

  test('trust region: no gate; nothing at all where the student is the teacher', () => {
    expect(gradientSize({ ...only, delta: 1 }, GATE)).toBe(0);
    expect(gradientSize({ ...only, delta: 1 }, HEAD)).toBeGreaterThan(1e-4);
    expect(evaluate({}).parts.kl).toBeGreaterThan(0);
    expect(evaluate({}, { teacher: params }).parts.kl).toBe(0);
    expect(gradientSize({ ...only, delta: 1 }, HEAD, { teacher: params })).toBeLessThan(1e-9);
  });

  test('trust region: its mean over tokens drawn from the student is KL(student || teacher)', () => {
    const single = tinyModel(31, { loops: 1 });
    const teacher = nearbyParams(single.params, 32, 0.3);
    const ids = [[3, 1, 4]];
    const [student, reference] = [single.params, teacher].map((p) => {
      const hidden = forward(single.config, p, { ids }).hidden[0]![0]![2]!;
      return logSoftmax(headLogits(single.config, p, hidden));
    });
    const divergence = student!.reduce((sum, log, v) => sum + Math.exp(log) * (log - reference![v]!), 0);
    const estimate = student!.reduce((sum, log, v) => {
      const batch = { ids, targets: [[UNCOUNTED, UNCOUNTED, v]] };
      const setup = setupWith({ policy: 'closed' }, { config: single.config, teacher, batch, noise: [], exits: [] });
      return sum + Math.exp(log) * loopRptLoss(setup, single.params, single.params).parts.kl;
    }, 0);
    expect(estimate).toBeCloseTo(divergence, 10);
  });

  test('detaching matters: moving the constants too gives another derivative', () => {
    const setup = setupWith({ ...only, beta: 1 });
    const frozen = freezeLoopRpt(setup, params);
    const detached = finiteDifferenceGradient((p: SlowParams) => frozen(p).loss, params, NORM, 0);
    const attached = finiteDifferenceGradient((p: SlowParams) => loopRptLoss(setup, p, p).loss, params, NORM, 0);
    expect(Math.abs(detached - attached)).toBeGreaterThan(1e-4);
  });
});

describe('rollouts', () => {
  test('full and hard rollouts agree without noise, and only then', () => {
    const [full, hard] = (['full', 'hard'] as const).map((rollouts) => evaluate({ rollouts }, { noise: silence }));
    expect(hard).toEqual(full);
    expect(evaluate({ rollouts: 'hard' }).loss).not.toBe(evaluate({ rollouts: 'full' }).loss);
  });

  test('the sampled gradient, averaged over π, is the closed form', () => {
    const batch = { ids: [[3, 1, 4]], targets: [[UNCOUNTED, UNCOUNTED, 1]] };
    const settings = { ...only, alpha: 1, advantage: 'none', policyGradient: 'backbone' } as const;
    const noise = latentNoise(config, 1, 0, { rollouts: 1, rows: 1, length: 3 });
    const closed = freezeLoopRpt(setupWith({ ...settings, policy: 'closed' }, { batch, noise }), params);
    const pi = closed(params).tokens[0]!.exitPdf;
    for (const name of [GATE, NORM, QUERY]) {
      const gradientOf = (loss: (p: SlowParams) => SlowLoopRptResult) =>
        finiteDifferenceGradient((p) => loss(p).loss, params, name, 2);
      const expected = pi.reduce((sum, p, exit) => {
        const exits = [[[exit, exit, exit]]];
        return sum + p * gradientOf(freezeLoopRpt(setupWith(settings, { batch, noise, exits }), params));
      }, 0);
      expect(expected).toBeCloseTo(gradientOf(closed), 8);
    }
  });
});

test('the loss is the weighted sum of its parts, each a mean over the hard tokens', () => {
  const weights = { alpha: 0.7, beta: 1.3, gamma: 0.2, delta: 0.4 };
  const { loss, parts, tokens, teacherTokens } = evaluate(weights);
  expect(teacherTokens).toHaveLength(9);
  expect(tokens).toHaveLength(4);
  expect(loss).toBeCloseTo(0.7 * parts.policy + 1.3 * parts.representation + 0.2 * parts.entropy + 0.4 * parts.kl, 12);
  for (const token of tokens) {
    expect(token.parts.entropy).toBeLessThan(0);
    expect(token.parts.entropy).toBeGreaterThan(-Math.log(4));
    expect(token.parts.kl).toBeGreaterThan(0);
    token.weights.forEach((weight, k) => {
      expect(weight).toBeGreaterThanOrEqual(token.exitPdf[k]!);
      const advantage = token.stepAdvantages[k]!;
      if (advantage <= 0) expect(weight).toBe(token.exitPdf[k]);
      else expect(weight / token.exitPdf[k]! - 1).toBeCloseTo(advantage, 10);
    });
  }
  const representation = tokens.map((token) =>
    token.weights.reduce((sum, weight, k) => sum - weight * token.logProbs[k]!, 0),
  );
  expect(parts.representation).toBeCloseTo(mean(representation), 12);
});
