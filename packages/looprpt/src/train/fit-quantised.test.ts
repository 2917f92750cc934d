/** Fitting against finite differences, and against what it is there to make small. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  cat,
  dequantise,
  Generator,
  liveTensors,
  noGrad,
  type QuantisedWeight,
  quantise,
  scope,
  type Tensor,
  tensor,
} from '@looprpt/engine';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { loadReadOnly } from '../checkpoint/load-read-only.js';
import { quantisationOf } from '../checkpoint/quantisation.js';
import { fittedWeights } from '../checkpoint/quantise/fitting.js';
import type { Calibration, CalibrationBatch } from '../checkpoint/quantise/input-moments.js';
import { quantiseModel } from '../checkpoint/quantise-model.js';
import { saveModel } from '../checkpoint/save-model.js';
import { StoredModel } from '../checkpoint/stored-model.js';
import { parseOuroConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { mapWeights } from '../model/weights.js';
import { fitLoss, fitter } from './fit-quantised.js';
import { QuantisedStudent } from './quantised-student.js';

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
  it('is what it says, and its gradients are those of finite differences, in pieces or not', async () => {
    await collectGarbage();
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

describe('a student', () => {
  const codesOf = (teacher: LoopLM): Map<Tensor, QuantisedWeight[]> => {
    const { layers, head } = teacher.weights;
    const matrices = [...layers.flatMap(({ qkv, out, gateUp, down }) => [qkv, out, gateUp, down]), head];
    // In two pieces, as q, k and v are in three; of 4 and of 8 bits, and with groups that are not full.
    return new Map(
      matrices.map((matrix, i) => {
        const rows = matrix.size(0);
        const settings = { ...quantisationOf(i % 2 === 0 ? 'int4' : 'int8', { zeros: i > 3 }) };
        const piece = (from: number, to: number) =>
          scope(() => noGrad(() => quantise(matrix.slice(0, from, to), settings)));
        return [matrix, [piece(0, rows / 2), piece(rows / 2, rows)]];
      }),
    );
  };

  it("starts as the whole numbers, and its factors' gradients are those of finite differences", async () => {
    await collectGarbage();
    const before = liveTensors();
    const teacher = LoopLM.create(config({ hidden_size: 40, intermediate_size: 72 }), new Generator(5));
    const codes = codesOf(teacher);
    const student = new QuantisedStudent(teacher, codes);
    scope(() => {
      for (const [name, [above, below]] of codes) {
        const I = name.size(1);
        const expected = cat([dequantise(above!, I), dequantise(below!, I)]).add(0);
        const eye = tensor(
          Array.from({ length: I * I }, (_, i) => Number(i % (I + 1) === 0)),
          { shape: [I, I] },
        );
        expect(noGrad(() => student.lm.stored!.product(eye, name).transpose(0, 1)).toNumbers()).toEqual(
          expected.toNumbers(),
        );
      }
      fitLoss(student.lm, teacher, batchOf(ROWS[1]!));
      student.gather();
      const factors = student.parameters.filter(({ name }) => name.startsWith('factors'));
      expect(factors.length).toBe(18);
      const found = factors.map(({ name, tensor }) => {
        const gradient = tensor.grad!.toNumbers();
        const at = gradient.reduce((most, value, i) => (Math.abs(value) > Math.abs(gradient[most]!) ? i : most), 0);
        return { name, tensor, at, gradient: gradient[at]! };
      });
      for (const { name, tensor: factor, at, gradient } of found) {
        const moved = (by: number): number => {
          noGrad(() =>
            scope(() =>
              factor
                .view(-1)
                .slice(0, at, at + 1)
                .add_(by),
            ),
          );
          student.refresh();
          return slowLoss(student.lm, teacher, ROWS[1]!);
        };
        const slope = (moved(0.05) - moved(-0.1)) / 0.1;
        moved(0.05);
        expect(Math.abs(slope - gradient), name).toBeLessThan(0.05 * Math.abs(gradient) + 1e-5);
      }
      const { scales, vectors } = student.take();
      for (const [weight, fitted] of scales) expect(fitted.toNumbers()).toEqual(weight.scales.toNumbers());
      for (const tensor of [...scales.values(), ...vectors.values()]) tensor.dispose();
    });
    student[Symbol.dispose]();
    for (const pieces of codes.values())
      for (const { codes, scales, zeros } of pieces) for (const tensor of [codes, scales, zeros]) tensor?.dispose();
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
    await collectGarbage();
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
    // Nothing that is fitted is as it was; whole numbers are.
    using unfitted = new StoredModel(plain!);
    using after = new StoredModel(fitted!);
    for (const [key, { dtype }] of unfitted.tensors) {
      const [x, y] = [unfitted, after].map(({ tensors }) => scope(() => tensors.get(key)!.load().toNumbers()));
      const isFitted = key.endsWith('.scales') || key.includes('norm') || key.includes('gate.');
      expect([key, dtype, String(x) === String(y)]).toEqual([key, after.tensors.get(key)!.dtype, !isFitted]);
    }
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
