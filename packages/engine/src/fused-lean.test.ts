/**
 * The fused operators where they are made of libtorch's (other dtypes than float32, other devices than the CPU): in float64 against
 * plain formulas, values and every gradient; in half precision against float64.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import {
  backward,
  cat,
  type DType,
  fusedLinear,
  fusedNextTokenEntropy,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSplitRotate,
  fusedSwiglu,
  fusedTargetLogProb,
  Generator,
  linear,
  liveTensors,
  randn,
  scope,
  type Tensor,
  tensor,
} from './index.js';

let live: number;
beforeEach(async () => {
  await collectGarbage();
  live = liveTensors();
});
afterEach(() => {
  expect(liveTensors()).toBe(live);
});

const random = new Generator(12);
const normal = (...shape: number[]): Tensor => randn(shape, { generator: random });
type Version = (x: Tensor[]) => Tensor[];

/** Results and the gradients of a random linear functional of them, in double precision. */
function numbers(
  version: Version,
  inputs: readonly Tensor[],
  weights: readonly Tensor[],
  dtype: DType,
): Float64Array[] {
  const leaves = inputs.map((x) => x.detach().to({ dtype }).clone());
  for (const x of leaves) x.requiresGrad = true;
  const results = version(leaves);
  const terms = results.map((y, i) => y.to({ dtype: 'float64' }).mul(weights[i]!).sum());
  backward(terms.reduce((sum, term) => sum.add(term)));
  return [...results, ...leaves.map((x) => x.grad!)].map((t) => t.detach().to({ dtype: 'float64' }).toNumbers());
}

function compare(inputs: Tensor[], ours: Version, plain: Version): void {
  scope(() => {
    // Values that half precision holds, so that only the computation rounds.
    const held = inputs.map((x) => x.to({ dtype: 'bfloat16' }).to({ dtype: 'float64' }));
    const weights = plain(held).map((y) => normal(...y.shape).to({ dtype: 'float64' }));
    const wanted = numbers(plain, held, weights, 'float64');
    for (const [dtype, tolerance] of [
      ['float64', 1e-12],
      ['bfloat16', 0.03],
    ] as const) {
      const got = numbers(ours, held, weights, dtype);
      wanted.forEach((values, i) => {
        const size = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        const apart = values.reduce((most, value, j) => Math.max(most, Math.abs(value - got[i]![j]!)), 0);
        expect(apart / size, `${dtype}, number ${i}`).toBeLessThan(tolerance);
      });
    }
  });
}

const rms = (x: Tensor, w: Tensor): Tensor => x.mul(x.square().mean(-1, true).add(1e-5).rsqrt()).mul(w);

describe('between products', () => {
  test('rms_norm', () =>
    scope(() =>
      compare(
        [normal(3, 5, 12), normal(12)],
        ([x, w]) => [fusedRmsNorm(x!, w!, 1e-5)],
        ([x, w]) => [rms(x!, w!)],
      ),
    ));

  test('residual_norm', () =>
    scope(() =>
      compare(
        [normal(7, 10), normal(7, 10), normal(10), normal(10)],
        ([u, x, v, w]) => fusedResidualNorm(u!, x!, v!, w!, 1e-5),
        ([u, x, v, w]) => {
          const sum = x!.add(rms(u!, v!));
          return [sum, rms(sum, w!)];
        },
      ),
    ));

  test('swiglu, linear', () =>
    scope(() =>
      compare(
        [normal(4, 3, 14), normal(5, 7)],
        ([joined, w]) => [fusedLinear(fusedSwiglu(joined!), w!)],
        ([joined, w]) => [
          linear(
            joined!
              .slice(-1, 0, 7)
              .silu()
              .mul(joined!.slice(-1, 7, 14)),
            w!,
          ),
        ],
      ),
    ));

  test.each([
    ['all heads', 4, 2, [0, 1, 2]],
    ['queries alone are used', 2, 2, [0]],
    ['values alone are used', 2, 1, [2]],
  ] as const)('split_rotate: %s', (_, H, G, used) =>
    scope(() => {
      const [B, T, D] = [2, 5, 6];
      const rotate = (x: Tensor, cos: Tensor, sin: Tensor): Tensor => {
        const [a, b, c, s] = [x.slice(-1, 0, D / 2), x.slice(-1, D / 2, D), cos.unsqueeze(2), sin.unsqueeze(2)];
        return cat([a.mul(c).sub(b.mul(s)), b.mul(c).add(a.mul(s))], -1);
      };
      const angles = normal(B, T, D / 2);
      const tables = (like: Tensor): [Tensor, Tensor] => [angles.cos().to(like), angles.sin().to(like)];
      compare(
        [normal(B, T, (H + 2 * G) * D)],
        ([qkv]) => {
          const [cos, sin] = tables(qkv!);
          return used.map((i) => fusedSplitRotate(qkv!, { cos, sin }, H, G)[i]!);
        },
        ([qkv]) => {
          const [cos, sin] = tables(qkv!);
          const rows = qkv!.view(B, T, H + 2 * G, D);
          const all = [
            rotate(rows.slice(2, 0, H), cos, sin),
            rotate(rows.slice(2, H, H + G), cos, sin),
            rows.slice(2, H + G, H + 2 * G),
          ];
          return used.map((i) => all[i]!);
        },
      );
    }),
  );
});

describe('read-outs', () => {
  // Rows of one chunk, and of several with a rest: a chunk has 64 rows where the vocabulary is this large.
  test.each([
    [5, 11],
    [150, 65_536],
  ])('%i rows of a vocabulary of %i', (N, V) =>
    scope(() => {
      const targets = tensor(
        Int32Array.from({ length: N }, (_, i) => (i * 7919) % V),
        { dtype: 'int64' },
      );
      compare(
        [normal(N, 6), normal(V, 6)],
        ([h, w]) => [fusedTargetLogProb(h!, w!, targets)],
        ([h, w]) => [linear(h!, w!).logSoftmax(-1).gather(1, targets.unsqueeze(1)).squeeze(1)],
      );
      const [hidden, weight] = [normal(N, 6).to({ dtype: 'float64' }), normal(V, 6).to({ dtype: 'float64' })];
      const logProbs = linear(hidden, weight).logSoftmax(-1);
      const entropy = logProbs.exp().mul(logProbs).sum(-1).neg().toNumbers();
      const ours = fusedNextTokenEntropy(hidden, weight).toNumbers();
      for (const [i, value] of ours.entries()) expect(value).toBeCloseTo(entropy[i]!, 10);
    }),
  );

  test.each([-1, 5])('a target outside the vocabulary of 5 is refused: %i', (target) =>
    scope(() => {
      const half = (x: Tensor): Tensor => x.to({ dtype: 'bfloat16' });
      const targets = tensor([target], { dtype: 'int64' });
      expect(() => fusedTargetLogProb(half(normal(1, 4)), half(normal(5, 4)), targets)).toThrow('out of bounds');
    }),
  );
});
