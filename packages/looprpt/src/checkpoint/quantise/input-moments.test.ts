/** Sums over the inputs of matrices against the same taken by hand, and how they are taken makes no difference. */
import { Generator, liveTensors, noGrad, op, scope, type Tensor, tensor } from '@looprpt/engine';
import { beforeEach, describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../../engine/test-support/collect-garbage.js';
import { parseOuroConfig } from '../../model/config.js';
import { LoopLM } from '../../model/loop-lm.js';
import { feedbackFactor } from './error-feedback.js';
import { type Calibration, InputFactors } from './input-moments.js';

let model: LoopLM;
beforeEach(() => {
  const config = parseOuroConfig(
    {
      model_type: 'ouro',
      vocab_size: 40,
      hidden_size: 16,
      intermediate_size: 24,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      total_ut_steps: 3,
    },
    'the test',
  );
  model = LoopLM.create(config, new Generator(5));
  return () => model.dispose();
});

/** Two batches; the last place of each is padding. */
const ROWS = [
  [3, 1, 4, 1, 5, 9, 2, 6, 0],
  [8, 7, 30, 12, 39, 22, 17, 0, 0],
];
const COUNTED = [2, 3, 4, 5];

const ids = (row: readonly number[]): Tensor => tensor([[...row]], { dtype: 'int64' });
const places = (list: readonly number[]): Tensor => tensor([...list], { shape: [list.length], dtype: 'int64' });

function calibration(rows: readonly (readonly number[])[], tokens: number): Calibration {
  return async (use) => {
    for (const row of rows)
      scope(() => use({ idsBT: ids(row), tokensN: places([...Array(tokens).keys()]), countedN: places(COUNTED) }));
  };
}

function expectNear(actual: Tensor, expected: Tensor): void {
  const [a, b] = [actual.toNumbers(), expected.toNumbers()];
  const size = Math.hypot(...b);
  expect(Math.hypot(...a.map((value, i) => value - b[i]!)) / size).toBeLessThan(1e-3);
}

function sumOf(rows: readonly Tensor[]): Tensor {
  const wide = rows.map((row) => row.to({ dtype: 'float64' }));
  return wide.map((row) => row.transpose(0, 1).matmul(row)).reduce((sum, one) => sum.add(one));
}

describe('inputs of all loops', () => {
  test('of the first projection they are the normalised states before each loop, of the head those after it', async () => {
    const { head, layers, embedding } = model.weights;
    using factors = new InputFactors(model, calibration(ROWS, 7));
    await collectGarbage();
    const before = liveTensors();
    const ofQkv = await factors.of(layers[0]!.qkv);
    const [qkv, untilNow] = [scope(() => ofQkv.clone().persist()), liveTensors()];
    const ofHead = await factors.of(head);
    noGrad(() =>
      scope(() => {
        const [starts, ends]: [Tensor[], Tensor[]] = [[], []];
        for (const row of ROWS) {
          const states = model.states({ idsBT: ids(row) }).map((state) => state.squeeze(0));
          const first = embedding.indexSelect(0, tensor([...row], { dtype: 'int64' }));
          for (const state of [first, ...states.slice(0, -1)]) {
            const normed = state.mul(state.square().mean(-1, true).add(1e-6).rsqrt());
            starts.push(normed.mul(layers[0]!.normBeforeAttention).slice(0, 0, 7));
          }
          ends.push(...states.map((state) => state.indexSelect(0, places(COUNTED))));
        }
        expectNear(qkv, feedbackFactor(sumOf(starts)));
        expectNear(ofHead, feedbackFactor(sumOf(ends)));
      }),
    );
    qkv.dispose();
    // One factor and its copy, and the sums of the eight matrices that are still to be asked for.
    expect(untilNow - before).toBe(10);
  });

  test('one matrix a pass gives the same numbers as all at once, and frees what it took', async () => {
    const matrices = model.weights.layers.flatMap(({ qkv, out, gateUp, down }) => [qkv, out, gateUp, down]);
    const numbers = async (bytes: number): Promise<[passes: number, numbers: number[][]]> => {
      const found: number[][] = [];
      using factors = new InputFactors(model, calibration(ROWS, 7), bytes);
      for (const matrix of [...matrices, model.weights.head])
        found.push(Array.from((await factors.of(matrix)).toNumbers()));
      expect(await factors.of(model.weights.head)).toBe(await factors.of(model.weights.head));
      return [factors.passes, found];
    };
    await collectGarbage();
    const before = liveTensors();
    const [together, one] = [await numbers(2 ** 31), await numbers(1)];
    expect([together[0], one[0]]).toEqual([1, 9]);
    expect(one[1]).toEqual(together[1]);
    expect(liveTensors()).toBe(before);
  });

  test('what is no token does not count', async () => {
    const short = ROWS.map((row) => row.slice(0, 7));
    const ofDown = async (rows: readonly (readonly number[])[]): Promise<Tensor> => {
      using factors = new InputFactors(model, calibration(rows, 7));
      const factor = await factors.of(model.weights.layers[1]!.down);
      return scope(() => op('aten::clone')<Tensor>(factor).persist());
    };
    const [padded, whole] = [await ofDown(ROWS), await ofDown(short)];
    expectNear(padded, whole);
    padded.dispose();
    whole.dispose();
  });
});
