/**
 * The kernels of bfloat16 on the CPU against plain formulas in float64: values and every gradient, and the same bits on one thread and on
 * two. They compute in float32 and round once, so that a result is off by half a unit in the last place (at most 2⁻⁸ of its size) for
 * each number in bfloat16 between it and the inputs. That is what the bounds below are made of.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  backward,
  type DType,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSwiglu,
  Generator,
  getThreads,
  liveTensors,
  randn,
  scope,
  setThreads,
  type Tensor,
} from './index.js';

const threadsBefore = getThreads();
let live: number;
beforeEach(() => {
  live = liveTensors();
});
afterEach(() => {
  setThreads(threadsBefore);
  expect(liveTensors()).toBe(live);
});

const random = new Generator(13);
/** Numbers that bfloat16 holds, in float64. */
const held = (...shape: number[]): Tensor =>
  randn(shape, { generator: random }).to({ dtype: 'bfloat16' }).to({ dtype: 'float64' });

type Version = (x: Tensor[]) => Tensor[];

/** Results, then gradients of their sum weighted by `weights`. */
function numbers(version: Version, inputs: readonly Tensor[], weights: readonly Tensor[], dtype: DType): number[][] {
  const leaves = inputs.map((x) => x.to({ dtype }).clone());
  for (const x of leaves) x.requiresGrad = true;
  const results = version(leaves);
  backward(
    results.map((y, i) => y.mul(weights[i]!.to({ dtype })).to({ dtype: 'float64' }).sum()).reduce((a, b) => a.add(b)),
  );
  return [...results, ...leaves.map((x) => x.grad!)].map((t) => [...t.detach().to({ dtype: 'float64' }).toNumbers()]);
}

/** Half a unit in the last place of a number of size 1. */
const HALF_UNIT = 2 ** -8;

/** @param roundings between inputs and the worst result, of the largest number of each */
function holds(inputs: Tensor[], ours: Version, plain: Version, roundings: number): void {
  const weights = plain(inputs).map((y) => held(...y.shape));
  const wanted = numbers(plain, inputs, weights, 'float64');
  setThreads(1);
  const got = numbers(ours, inputs, weights, 'bfloat16');
  wanted.forEach((values, i) => {
    const most = values.reduce((size, value) => Math.max(size, Math.abs(value)), 0);
    const apart = values.reduce((size, value, j) => Math.max(size, Math.abs(value - got[i]![j]!)), 0);
    expect(apart / most, `number ${i}`).toBeLessThan(roundings * HALF_UNIT);
  });
  setThreads(2);
  expect(numbers(ours, inputs, weights, 'bfloat16')).toEqual(got);
}

const rms = (x: Tensor, w: Tensor): Tensor => x.mul(x.square().mean(-1, true).add(1e-5).rsqrt()).mul(w);

describe('against float64, on one thread and on two', () => {
  // Rows of no, of several and of several and a part of a vector; one block of rows, several and a part of one.
  test.each([
    [3, 5],
    [64, 48],
    [200, 77],
  ])('norms of %i rows of %i', (N, E) =>
    scope(() => {
      holds(
        [held(N, E), held(E)],
        ([x, w]) => [fusedRmsNorm(x!, w!, 1e-5)],
        ([x, w]) => [rms(x!, w!)],
        1.01,
      );
      // The second norm is of a sum that has been rounded.
      holds(
        [held(N, E), held(N, E), held(E), held(E)],
        ([u, x, v, w]) => fusedResidualNorm(u!, x!, v!, w!, 1e-5),
        ([u, x, v, w]) => {
          const sum = x!.add(rms(u!, v!));
          return [sum, rms(sum, w!)];
        },
        3,
      );
    }),
  );

  test.each([
    [3, 5],
    [130, 77],
  ])('swiglu of %i rows of %i', (N, F) =>
    scope(() =>
      holds(
        [held(N, 2 * F)],
        ([joined]) => [fusedSwiglu(joined!)],
        ([joined]) => [
          joined!
            .slice(-1, 0, F)
            .silu()
            .mul(joined!.slice(-1, F, 2 * F)),
        ],
        1.01,
      ),
    ),
  );
});

test('values that are not finite stay so', () =>
  scope(() => {
    const half = { dtype: 'bfloat16' } as const;
    const rows = (value: number): number[] => {
      const joined = randn([1, 64], { generator: random }).fill_(1);
      joined.slice(-1, 32, 64).fill_(value);
      return [...new Set(fusedSwiglu(joined.to(half)).toNumbers())];
    };
    expect(rows(Number.NaN)).toEqual([Number.NaN]);
    expect(rows(Number.POSITIVE_INFINITY)).toEqual([Number.POSITIVE_INFINITY]);
    expect(rows(Number.NEGATIVE_INFINITY)).toEqual([Number.NEGATIVE_INFINITY]);
  }));
