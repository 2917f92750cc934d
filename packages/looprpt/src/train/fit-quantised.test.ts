/** Fitting against finite differences, and against what it is there to make small. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Generator, liveTensors, noGrad, scope, type Tensor, tensor } from '@looprpt/engine';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { loadReadOnly } from '../checkpoint/load-read-only.js';
import { quantisationOf } from '../checkpoint/quantisation.js';
import { fittedWeights } from '../checkpoint/quantise/fitting.js';
import type { Calibration, CalibrationBatch } from '../checkpoint/quantise/input-moments.js';
import { quantiseModel } from '../checkpoint/quantise-model.js';
import { saveModel } from '../checkpoint/save-model.js';
import { parseOuroConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { mapWeights } from '../model/weights.js';
import { fitLoss, fitter } from './fit-quantised.js';

const config = (overrides = {}) =>
  parseOuroConfig(
    {
      ...{ model_type: 'ouro', vocab_size: 30, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2 },
      ...{ num_attention_heads: 2, total_ut_steps: 3 },
      ...overrides,
    },
    'the test',
  );

const ROWS = [
  [3, 1, 4, 1, 5, 9, 2, 6],
  [8, 7, 29, 12, 9, 22, 17, 0],
];
const COUNTED = [1, 2, 5, 6, 7];

const ids = (row: readonly number[]): Tensor => tensor([[...row]], { dtype: 'int64' });
const batchOf = (row: readonly number[]): CalibrationBatch => ({
  idsBT: ids(row),
  tokensN: tensor([...row.keys()], { dtype: 'int64' }),
  countedN: tensor(COUNTED, { dtype: 'int64' }),
});
const text: Calibration = async (use) => {
  for (const row of ROWS) scope(() => use(batchOf(row)));
};

/** Log-probabilities and gates' probabilities after each loop, place by place. */
function readings(model: LoopLM, row: readonly number[]): { words: number[][][]; gates: number[][] } {
  return scope(() =>
    noGrad(() => {
      const states = model.states(batchOf(row)).map((state) => state.squeeze(0));
      const at = (values: Float64Array, V: number) =>
        COUNTED.map((t) => Array.from(values.subarray(t * V, (t + 1) * V)));
      return {
        words: states.map((state) => at(model.logits(state).logSoftmax(-1).toNumbers(), 30)),
        gates: states.map((state) => at(model.gateLogits(state).sigmoid().toNumbers(), 1).flat()),
      };
    }),
  );
}

/** By the book. */
function slowLoss(student: LoopLM, teacher: LoopLM, row: readonly number[]): number {
  const [own, truth] = [readings(student, row), readings(teacher, row)];
  const kl = (p: readonly number[], q: readonly number[]): number =>
    p.reduce((sum, value, i) => sum + (value === 0 ? 0 : value * Math.log(value / q[i]!)), 0);
  const both = (lambda: number): number[] => [lambda, 1 - lambda];
  return truth.words.reduce((total, loop, k) => {
    const ofLoop = loop.map((place, n) => {
      const words = kl(place.map(Math.exp), own.words[k]![n]!.map(Math.exp));
      return words + (k < 2 ? 0.3 * kl(both(truth.gates[k]![n]!), both(own.gates[k]![n]!)) : 0);
    });
    return total + ofLoop.reduce((sum, value) => sum + value, 0) / COUNTED.length;
  }, 0);
}

describe('the loss', () => {
  it('is what it says, and its gradients are those of finite differences, in pieces or not', () => {
    const before = liveTensors();
    const teacher = LoopLM.create(config(), new Generator(5), { dtype: 'float64' });
    const student = teacher.clone();
    const fitted = fittedWeights(student.weights);
    const random = new Generator(6);
    noGrad(() => {
      for (const weight of fitted.values()) scope(() => weight.add_(weight.clone().normal_(0, 0.2, random)));
    });
    for (const weight of fitted.values()) weight.requiresGrad = true;
    student.recomputeLoops = true;
    scope(() => {
      const loss = fitLoss(student, teacher, batchOf(ROWS[1]!));
      expect(loss).toBeCloseTo(slowLoss(student, teacher, ROWS[1]!), 9);
      for (const [name, weight] of fitted) {
        const gradient = weight.grad!.toNumbers();
        const at = gradient.length - 1;
        const moved = (by: number): number => {
          noGrad(() =>
            scope(() =>
              weight
                .view(-1)
                .slice(0, at, at + 1)
                .add_(by),
            ),
          );
          return slowLoss(student, teacher, ROWS[1]!);
        };
        const slope = (moved(1e-5) - moved(-2e-5)) / 2e-5;
        moved(1e-5);
        expect(gradient[at], name).toBeCloseTo(slope, 6);
        weight.grad = null;
      }
      const whole = fitLoss(student, teacher, batchOf(ROWS[1]!), 60);
      expect(whole).toBeCloseTo(loss, 9);
    });
    student.dispose();
    teacher.dispose();
    expect(liveTensors()).toBe(before);
  });
});

describe('a fitted folder', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'looprpt-test-'));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  const bytes = (folder: string): Buffer => readFileSync(join(folder, 'model.safetensors'));

  test.each([
    ['float32', {}],
    ['bfloat16', {}],
    ['bfloat16', { tie_word_embeddings: true }],
  ] as const)('says more nearly what the model says, %s %j', async (dtype, overrides) => {
    const name = `${dtype}${Object.keys(overrides).length}`;
    const model = LoopLM.create(config({ hidden_size: 32, ...overrides }), new Generator(2), { dtype });
    const from = join(root, name);
    await saveModel(model, from);
    const teacher = model.dtype === 'float32' ? model : model.readOnly();
    const [plain, fitted, again] = ['plain', 'fitted', 'again'].map((kind) => join(root, `${name}-${kind}`));
    const settings = quantisationOf('int4');
    const before = liveTensors();
    const losses: number[] = [];
    const fit = { passes: 10, run: fitter(({ loss }) => losses.push(loss)) };
    await quantiseModel(from, plain!, settings, { calibration: text, fit: { ...fit, passes: 0 } });
    expect(losses).toEqual([]);
    await quantiseModel(from, fitted!, settings, { calibration: text, fit });
    expect(losses.length).toBe(20);
    await quantiseModel(from, again!, settings, { calibration: text, fit });
    expect(bytes(again!).equals(bytes(fitted!))).toBe(true);
    const off = (folder: string): number => {
      const student = loadReadOnly(folder);
      const loss = ROWS.reduce((sum, row) => sum + slowLoss(student, teacher, row), 0);
      student.dispose();
      return loss;
    };
    expect(off(fitted!)).toBeLessThan(0.9 * off(plain!));
    // Whole numbers stay as they are.
    const [a, b] = [loadReadOnly(plain!), loadReadOnly(fitted!)];
    const [ofA, ofB] = [a, b].map(({ weights }) =>
      Array.from(fittedWeights(weights).values(), (one) => one.toNumbers()),
    );
    expect(ofA!.filter((values, i) => String(values) === String(ofB![i]))).toEqual([]);
    for (const one of [a, b]) one.dispose();
    expect(liveTensors()).toBe(before);
    if (teacher !== model) teacher.dispose();
    model.dispose();
  });
});

test('every vector of a model is fitted', () => {
  const teacher = LoopLM.create(config(), new Generator(1));
  const names = new Set(fittedWeights(teacher.weights).values());
  const vectors: Tensor[] = [];
  mapWeights(teacher.weights, (one) => {
    if (one.dim === 1) vectors.push(one);
    return one;
  });
  expect(vectors.every((vector) => names.has(vector))).toBe(true);
  teacher.dispose();
});
