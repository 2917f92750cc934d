import { describe, expect, test } from 'vitest';
import { finiteDifferenceGradient, finiteDifferenceTensor } from './slow-gradient.js';
import type { SlowParams } from './slow-loop-lm.js';
import { sigmoid } from './slow-loop-lm.js';
import { hardTokenLoss, stageOneLoss, stageTwoLoss, uniformLoss } from './slow-objectives.js';
import type { SlowBatch } from './slow-readout.js';
import { mean, UNCOUNTED } from './slow-readout.js';
import { hardTokens, teacherTokens } from './slow-teacher.js';
import { nearbyParams, tinyModel } from './tiny-model.js';

const batch: SlowBatch = {
  ids: [
    [3, 1, 4, 1, 5, 9],
    [2, 6, 5, 3, 5, 8],
  ],
  targets: [
    [1, 4, 1, 5, 9, UNCOUNTED],
    [UNCOUNTED, UNCOUNTED, 3, 5, 8, 7],
  ],
};
const GATE_BIAS = 'model.early_exit_gate.bias';

function withGateBias(params: SlowParams, bias: number): SlowParams {
  return { ...params, [GATE_BIAS]: { shape: [1], data: Float64Array.of(bias) } };
}

describe('stage I', () => {
  const { config, params } = tinyModel(11, { loops: 2 });

  test('a gate that never exits leaves the cross-entropy of the last loop, one that always does that of the first', () => {
    for (const [bias, k] of [
      [-60, 1],
      [60, 0],
    ] as const) {
      const result = stageOneLoss(config, withGateBias(params, bias), batch, { beta: 0.1 });
      expect(result.tokens).toHaveLength(9);
      expect(result.loss).toBeCloseTo(-mean(result.tokens.map((token) => token.logProbs[k]!)), 10);
    }
  });

  test('gradient of the gate bias, two loops, by hand', () => {
    const beta = 0.3;
    const { tokens } = stageOneLoss(config, params, batch, { beta });
    const byHand = tokens.map(({ logProbs: [first, second], exitPdf: [exit] }) => {
      const entropySlope = Math.log((1 - exit!) / exit!);
      return exit! * (1 - exit!) * (second! - first! - beta * entropySlope);
    });
    const gradient = finiteDifferenceGradient(
      (moved) => stageOneLoss(config, moved, batch, { beta }).loss,
      params,
      GATE_BIAS,
      0,
    );
    expect(gradient).toBeCloseTo(mean(byHand), 8);
  });
});

describe('stage II', () => {
  const { config, params } = tinyModel(12, { loops: 4 });
  const loss = (moved: SlowParams) => stageTwoLoss(config, moved, params, batch).loss;

  test('gradient of the gate bias is the mean of λ - (1 - target)', () => {
    const { tokens } = stageTwoLoss(config, params, params, batch);
    const byHand = tokens.map(({ exitPdf, targets }) => {
      let survival = 1;
      return mean(
        targets.map((w, k) => {
          const exit = exitPdf[k]! / survival;
          survival -= exitPdf[k]!;
          return exit - (1 - w);
        }),
      );
    });
    expect(finiteDifferenceGradient(loss, params, GATE_BIAS, 0)).toBeCloseTo(mean(byHand), 8);
  });

  test('nothing but the gate learns', () => {
    for (const name of ['model.embed_tokens.weight', 'model.layers.0.mlp.up_proj.weight', 'lm_head.weight']) {
      expect(finiteDifferenceTensor(loss, params, name).every((g) => g === 0)).toBe(true);
    }
  });

  test('targets: more improvement, more wish to go on; a worse next loop asks to stop', () => {
    const { tokens } = stageTwoLoss(config, params, params, batch, { slope: 2, threshold: 0.5 });
    for (const { logProbs, improvements, targets } of tokens) {
      improvements.forEach((gain, k) => {
        expect(gain).toBeCloseTo(logProbs[k + 1]! - logProbs[k]!, 12);
        expect(targets[k]).toBeCloseTo(sigmoid(2 * gain - 1), 12);
      });
    }
    expect(tokens.flatMap((token) => token.improvements).some((gain) => gain < 0)).toBe(true);
  });
});

test('uniform cross-entropy is the mean of what each loop alone would lose', () => {
  const { config, params } = tinyModel(13);
  const result = uniformLoss(config, params, batch);
  const oneLoop = [0, 1, 2].map((k) => -mean(result.tokens.map((token) => token.logProbs[k]!)));
  expect(result.loss).toBeCloseTo(mean(oneLoop), 12);
  const gate = (moved: SlowParams) => uniformLoss(config, moved, batch).loss;
  expect(finiteDifferenceGradient(gate, params, GATE_BIAS, 0)).toBe(0);
});

describe('hard tokens', () => {
  const { config, params } = tinyModel(14);
  const teacher = nearbyParams(params, 15, 0.2);

  test.each([0.1, 0.2, 0.5, 0.75, 1])('ρ = %d: so many of each row, none easier than a hard one is left out', (rho) => {
    const tokens = teacherTokens(config, teacher, batch, { tau: 0.5, entropySource: 'reference' });
    const hard = hardTokens(tokens, rho);
    for (const [row, counted] of [
      [0, 5],
      [1, 4],
    ] as const) {
      const chosen = hard.filter((token) => token.row === row);
      const left = tokens.filter((token) => token.row === row && !hard.includes(token));
      expect(chosen).toHaveLength(Math.ceil(rho * counted));
      const easiest = Math.min(...chosen.map((token) => token.entropy));
      expect(left.every((token) => token.entropy <= easiest)).toBe(true);
    }
  });

  test('ties go to the lower position', () => {
    const repeated: SlowBatch = {
      ids: [[7, 7, 7, 7]],
      segments: [[0, 1, 2, 3]],
      targets: [[1, 2, 3, 4]],
    };
    const tokens = teacherTokens(config, teacher, repeated, { tau: 0.5, entropySource: 'last' });
    expect(new Set(tokens.map((token) => token.entropy)).size).toBe(1);
    expect(hardTokens(tokens, 0.5).map((token) => token.position)).toEqual([0, 1]);
  });

  test('their loss is the uniform loss at ρ = 1, and only theirs below', () => {
    const settings = { tau: 0.5, entropySource: 'last', rho: 1 } as const;
    const uniform = uniformLoss(config, params, batch);
    expect(hardTokenLoss(config, params, teacher, batch, settings)).toEqual(uniform);
    const some = hardTokenLoss(config, params, teacher, batch, { ...settings, rho: 0.2 });
    expect(some.tokens.length).toBe(2);
    for (const token of some.tokens) expect(uniform.tokens).toContainEqual(token);
  });

  test('the reference step is the first loop whose cdf reaches τ, the last if none does', () => {
    for (const tau of [0.1, 0.4, 0.7, 2]) {
      for (const { exitPdf, referenceStep } of teacherTokens(config, teacher, batch, { tau, entropySource: 'last' })) {
        const upTo = (k: number) => exitPdf.slice(0, k).reduce((sum, p) => sum + p, 0);
        expect(upTo(referenceStep)).toBeLessThan(tau);
        if (tau === 2) expect(referenceStep).toBe(2);
        else expect(upTo(referenceStep + 1)).toBeGreaterThanOrEqual(tau);
      }
    }
  });
});
