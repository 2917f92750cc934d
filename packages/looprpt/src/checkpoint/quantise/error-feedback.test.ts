/** Rounding with feedback against plain loops over numbers, and against what it is there to make small. */
import {
  dequantise,
  Generator,
  liveTensors,
  noGrad,
  type Quantisation,
  quantise,
  randn,
  scope,
  type Tensor,
  tensor,
} from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../../../engine/test-support/collect-garbage.js';
import { feedbackFactor, quantiseWithFeedback } from './error-feedback.js';
import { packCodes } from './pack-codes.js';

type Matrix = number[][];

const SYMMETRIC: Quantisation = { bits: 4, group: 32, zeros: false, scale: 'float16' };

/** Inputs that go together, as those of a model do: few directions, and some of their own. */
function inputs(I: number, seed: number): Tensor {
  const generator = new Generator(seed);
  const mixedNI = randn([400, 6], { generator, dtype: 'float64' }).matmul(
    randn([6, I], { generator, dtype: 'float64' }),
  );
  return mixedNI.add(randn([400, I], { generator, dtype: 'float64' }).mul(0.3));
}

function problem(O: number, I: number) {
  const xNI = inputs(I, 3);
  const weightOI = randn([O, I], { generator: new Generator(4), dtype: 'float32' }).mul(0.1);
  return { xNI, weightOI, momentsII: xNI.transpose(0, 1).matmul(xNI) };
}

function rowsOf(matrix: Tensor): Matrix {
  const flat = matrix.toNumbers();
  const [R, C] = matrix.shape as [number, number];
  return Array.from({ length: R }, (_, r) => Array.from(flat.subarray(r * C, (r + 1) * C)));
}

/** Gauss and Jordan, without pivots: the matrix is positive definite. */
function inverse(matrix: Matrix): Matrix {
  const n = matrix.length;
  const work = matrix.map((row, i) => [...row, ...row.map((_, j) => Number(i === j))]);
  for (let c = 0; c < n; c++) {
    const pivot = work[c]![c]!;
    work[c] = work[c]!.map((value) => value / pivot);
    for (let r = 0; r < n; r++) {
      if (r === c) continue;
      const share = work[r]![c]!;
      work[r] = work[r]!.map((value, j) => value - share * work[c]![j]!);
    }
  }
  return work.map((row) => row.slice(n));
}

/** What a rounding with feedback comes to by the book: after each input the best weights of all later ones, solved for anew. */
function slow(weight: Matrix, moments: Matrix, scales: Matrix, zeros: Matrix | null, group: number): Matrix {
  const I = moments.length;
  const mean = moments.reduce((sum, row, i) => sum + row[i]!, 0) / I;
  const damped = moments.map((row, i) => row.map((value, j) => value + (i === j ? 0.01 * mean : 0)));
  return weight.map((row, o) => {
    const left = [...row];
    const made: number[] = [];
    for (let c = 0; c < I; c++) {
      const g = Math.floor(c / group);
      const [scale, zero] = [scales[o]![g]!, zeros === null ? 8 : zeros[o]![g]!];
      const code = Math.min(15, Math.max(0, Math.round(left[c]! / scale) + zero));
      made.push((code - zero) * scale);
      const error = left[c]! - made[c]!;
      // Errors in the outputs are H restricted to c and what is left; its minimum over the later weights is linear in the error.
      const later = Array.from({ length: I - c - 1 }, (_, i) => c + 1 + i);
      const solved = inverse(later.map((i) => later.map((j) => damped[i]![j]!)));
      later.forEach((i, at) => {
        left[i]! += error * solved[at]!.reduce((sum, value, j) => sum + value * damped[later[j]!]![c]!, 0);
      });
    }
    return made;
  });
}

function objective(weightOI: Tensor, madeOI: Tensor, xNI: Tensor): number {
  const offOI = weightOI.sub(madeOI).to({ dtype: 'float64' });
  return xNI.matmul(offOI.transpose(0, 1)).square().sum().item() as number;
}

describe.each([
  ['symmetric', SYMMETRIC],
  ['with zero points', { ...SYMMETRIC, zeros: true }],
] as const)('%s', (_, settings) => {
  test('each input is rounded after the best answer to the errors before it', async () => {
    await collectGarbage();
    const before = liveTensors();
    scope(() => {
      const [O, I] = [5, 44];
      const { weightOI, momentsII } = problem(O, I);
      const made = quantiseWithFeedback(weightOI, feedbackFactor(momentsII), settings);
      const [scales, zeros] = [rowsOf(made.scales), made.zeros && rowsOf(made.zeros)];
      const expected = slow(rowsOf(weightOI), rowsOf(momentsII), scales, zeros, 32);
      const actual = rowsOf(dequantise(made, I));
      expected.forEach((row, o) => {
        for (const [i, value] of row.entries()) expect(actual[o]![i]).toBeCloseTo(value, 6);
      });
    });
    expect(liveTensors()).toBe(before);
  });

  test('outputs are nearer than with each weight rounded for itself', () => {
    scope(() => {
      const [O, I] = [48, 160];
      const { weightOI, xNI, momentsII } = problem(O, I);
      const plain = dequantise(quantise(weightOI, settings), I);
      const fed = dequantise(quantiseWithFeedback(weightOI, feedbackFactor(momentsII), settings), I);
      expect(objective(weightOI, fed, xNI)).toBeLessThan(0.5 * objective(weightOI, plain, xNI));
    });
  });
});

test('where inputs have nothing to do with each other, scales are as good as those of plain rounding', () => {
  scope(() => {
    const weightOI = randn([40, 64], { generator: new Generator(1) });
    const identity = tensor(
      Array.from({ length: 64 * 64 }, (_, i) => Number(i % 65 === 0)),
      {
        shape: [64, 64],
        dtype: 'float64',
      },
    );
    const error = (made: Tensor): number => weightOI.sub(made).square().sum().item() as number;
    const fed = dequantise(quantiseWithFeedback(weightOI, feedbackFactor(identity), SYMMETRIC), 64);
    expect(error(fed)).toBeLessThanOrEqual(1.001 * error(dequantise(quantise(weightOI, SYMMETRIC), 64)));
  });
});

test('weights of 0 stay 0, and rows are rounded the same in any company', () => {
  scope(() => {
    const { weightOI, momentsII } = problem(6, 64);
    noGrad(() => weightOI.slice(0, 0, 1).zero_());
    const factor = feedbackFactor(momentsII);
    const all = quantiseWithFeedback(weightOI, factor, SYMMETRIC);
    const alone = quantiseWithFeedback(weightOI.slice(0, 3, 4), factor, SYMMETRIC);
    const valuesOI = dequantise(all, 64);
    expect(rowsOf(valuesOI)[0]!.every((value) => value === 0)).toBe(true);
    expect(rowsOf(dequantise(alone, 64))[0]).toEqual(rowsOf(valuesOI)[3]);
  });
});

test.each([
  [4, false],
  [4, true],
  [8, false],
  [8, true],
] as const)('packed codes of %i bits (zero points: %s) are read as they were written', (bits, hasZeros) => {
  scope(() => {
    const [O, I, G] = [3, 150, 5];
    const numbers = (length: number, below: number, step: number): number[] =>
      Array.from({ length }, (_, i) => (i * step) % below);
    const codes = numbers(O * I, 2 ** bits, 7);
    const points = numbers(O * G, 2 ** bits, 5);
    const scales = numbers(O * G, 8, 3).map((n) => n + 1);
    const packed = packCodes(
      {
        codesOI: tensor(codes, { shape: [O, I], dtype: 'uint8' }),
        scalesOG: tensor(scales, { shape: [O, G], dtype: 'float16' }),
        zerosOG: hasZeros ? tensor(points, { shape: [O, G], dtype: 'uint8' }) : null,
      },
      { bits, group: 32, zeros: hasZeros, scale: 'float16' },
    );
    const expected = codes.map((code, at) => {
      const g = Math.floor(at / I) * G + Math.floor((at % I) / 32);
      return scales[g]! * (code - (hasZeros ? points[g]! : 2 ** (bits - 1)));
    });
    expect(Array.from(dequantise(packed, I).toNumbers())).toEqual(expected);
  });
});
