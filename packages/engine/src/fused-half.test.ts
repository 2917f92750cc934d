/**
 * The kernels of bfloat16 on the CPU against plain formulas in float64: values and every gradient, and the same bits on one thread and on
 * two. They compute in float32 and round once, so that a result is off by half a unit in the last place (at most 2⁻⁸ of its size) for
 * each number in bfloat16 between it and the inputs. That is what the bounds below are made of.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import {
  type AngleTables,
  backward,
  cat,
  type DType,
  fusedAttention,
  fusedNextTokenEntropy,
  fusedQueryAttention,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSwiglu,
  fusedTargetLogProb,
  Generator,
  getThreads,
  linear,
  liveTensors,
  randn,
  scope,
  setThreads,
  type Tensor,
  tensor,
} from './index.js';

const threadsBefore = getThreads();
let live: number;
beforeEach(async () => {
  await collectGarbage();
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

/** The first key of each place: documents of 13 and 7 places in turns, or the end of left padding. */
const documents = (t: number): number => t - (t % 20 < 13 ? t % 20 : (t % 20) - 13);
const padded = (): number => 3;

/** softmax(q·kᵀ/√D)·v with rotated q and k; a place that sees nothing has zeros. */
function plainAttention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor): Tensor {
  const scores = q.matmul(k.transpose(-1, -2)).mul(q.size(-1) ** -0.5);
  const unseen = seen.logicalNot().unsqueeze(1);
  const weights = scores.maskedFill(unseen, -1e300).softmax(-1).maskedFill(unseen, 0);
  return weights.matmul(v);
}

interface AttentionCase {
  name: string;
  B: number;
  T: number;
  H: number;
  G: number;
  D: number;
  window: number | null;
  first: ((t: number) => number) | null;
}

/** Blocks of queries are of 64, vectors of up to 32 numbers; odd numbers of places and of pairs. */
const attentions: AttentionCase[] = [
  { name: 'causal, whole blocks', B: 2, T: 128, H: 2, G: 2, D: 48, window: null, first: null },
  { name: 'causal, a part of a block', B: 1, T: 77, H: 2, G: 2, D: 64, window: null, first: null },
  { name: 'grouped heads', B: 1, T: 33, H: 6, G: 2, D: 18, window: null, first: null },
  { name: 'document boundaries', B: 2, T: 131, H: 2, G: 1, D: 6, window: null, first: documents },
  { name: 'a window and boundaries', B: 1, T: 70, H: 2, G: 1, D: 16, window: 5, first: documents },
  { name: 'left padding', B: 1, T: 13, H: 2, G: 1, D: 6, window: null, first: padded },
  { name: 'many keys', B: 1, T: 300, H: 1, G: 1, D: 32, window: null, first: null },
];

/** Tables, what is seen, and both versions, of queries at places `at` among T keys. */
function attentionCase({ B, T, H, G, D, window, first }: AttentionCase, at: number[]) {
  const angles = (places: number[]): Tensor =>
    tensor(Float64Array.from(places.flatMap((t) => Array.from({ length: D / 2 }, (_, j) => t * 0.7 ** j))), {
      dtype: 'float64',
      shape: [1, places.length, D / 2],
    });
  const tables = (places: number[]): AngleTables => {
    const float = (x: Tensor): Tensor => x.to({ dtype: 'float32' });
    return { cos: float(angles(places).cos()), sin: float(angles(places).sin()) };
  };
  const turned = (x: Tensor, places: number[]): Tensor => {
    const [cos, sin] = [angles(places).cos(), angles(places).sin()];
    const [a, b] = [x.slice(-1, 0, D / 2), x.slice(-1, D / 2, D)];
    return cat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], -1);
  };
  /** Heads [B, H, places, D] out of joined rows, those of keys once for every query head. */
  const heads = (rows: Tensor, from: number, count: number): Tensor =>
    rows
      .slice(-1, from * D, (from + count) * D)
      .view(B, rows.size(1), count, D)
      .transpose(1, 2)
      .repeatInterleave(H / count, 1);
  const all = Array.from({ length: T }, (_, t) => t);
  const firstOf = (t: number): number => first?.(t) ?? 0;
  const seen = tensor(
    at.flatMap((t) => all.map((s) => (s <= t && s >= firstOf(t) && (window === null || s > t - window) ? 1 : 0))),
    { shape: [1, at.length, T] },
  ).gt(0);
  const int64 = (values: number[]): Tensor =>
    tensor(Int32Array.from(Array.from({ length: B }, () => values).flat()), {
      dtype: 'int64',
      shape: [B, values.length],
    });
  return {
    tables,
    firstAt: first ? int64(at.map(firstOf)) : null,
    lastAt: int64(at),
    plain: (q: Tensor, kv: Tensor): Tensor =>
      plainAttention(turned(q, at), turned(heads(kv, H, G), all), heads(kv, H + G, G), seen)
        .transpose(1, 2)
        .reshape(B, at.length, H * D),
    heads,
    all,
  };
}

describe('attention against float64', () => {
  test.each(attentions)('$name', (shape) =>
    scope(() => {
      const { B, T, H, G, D, window } = shape;
      const places = Array.from({ length: T }, (_, t) => t);
      const { tables, firstAt, plain, heads } = attentionCase(shape, places);
      holds(
        [held(B, T, (H + 2 * G) * D)],
        ([qkv]) => [fusedAttention(qkv!, tables(places), firstAt, { heads: H, kvHeads: G, window })],
        ([qkv]) => [plain(heads(qkv!, 0, H), qkv!)],
        4,
      );
    }),
  );

  test.each(attentions)('queries apart: $name', (shape) =>
    scope(() => {
      const { B, T, H, G, D, window } = shape;
      const at = Array.from({ length: 71 }, (_, i) => (i * 29 + 4) % T);
      const { tables, firstAt, lastAt, plain, heads, all } = attentionCase(shape, at);
      const kv = held(B, T, (H + 2 * G) * D);
      holds(
        [held(B, at.length, H * D)],
        ([q]) => [
          fusedQueryAttention(
            q!,
            kv.to({ dtype: 'bfloat16' }),
            tables(at),
            tables(all),
            { last: lastAt, first: firstAt },
            { heads: H, kvHeads: G, window },
          ),
        ],
        ([q]) => [plain(heads(q!, 0, H), kv)],
        4,
      );
    }),
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

/**
 * Logits below 4 that are rounded are off by up to 4 half units, absolutely: so is a log-probability, and by so much relatively a
 * probability in a gradient.
 */
describe('read-outs against float64', () => {
  // One block of words, several with a part, rows of several pieces, and words that are not whole vectors.
  test.each([
    [3, 11],
    [200, 77],
    [9000, 1100],
  ])('%i rows of a vocabulary of %i', (N, V) =>
    scope(() => {
      const E = 16;
      const rows = held(N, E).mul(0.25);
      const words = held(V, E).mul(0.5);
      const int64 = { dtype: 'int64' } as const;
      const targets = tensor(
        Int32Array.from({ length: N }, (_, i) => (i * 7919) % V),
        int64,
      );
      holds(
        [rows, words],
        ([h, w]) => [fusedTargetLogProb(h!, w!, targets)],
        ([h, w]) => [linear(h!, w!).logSoftmax(-1).gather(1, targets.unsqueeze(1)).squeeze(1)],
        4,
      );
      const logProbs = linear(rows, words).logSoftmax(-1);
      const wanted = logProbs.exp().mul(logProbs).sum(-1).neg().toNumbers();
      const half = { dtype: 'bfloat16' } as const;
      const entropy = (): Float64Array => fusedNextTokenEntropy(rows.to(half), words.to(half)).toNumbers();
      const got = entropy();
      const apart = got.reduce((size, value, i) => Math.max(size, Math.abs(value - wanted[i]!)), 0);
      expect(apart).toBeLessThan(4 * HALF_UNIT);
      setThreads(1);
      expect(entropy()).toEqual(got);
    }),
  );

  test('more logits than are kept are made again, to the same gradients as in two parts', () =>
    scope(() => {
      const [N, V, E] = [2200, 62_000, 2];
      const half = { dtype: 'bfloat16' } as const;
      const [rows, words] = [held(N, E).to(half), held(V, E).to(half)];
      const targets = tensor(
        Int32Array.from({ length: N }, (_, i) => (i * 7919) % V),
        { dtype: 'int64' },
      );
      const gradients = (parts: number): number[][] => {
        const [h, w] = [rows.clone(), words.clone()];
        h.requiresGrad = true;
        w.requiresGrad = true;
        const size = N / parts;
        const sums = Array.from({ length: parts }, (_, i) =>
          fusedTargetLogProb(h.slice(0, i * size, (i + 1) * size), w, targets.slice(0, i * size, (i + 1) * size)).sum(),
        );
        backward(sums.reduce((a, b) => a.add(b)));
        return [h, w].map((x) => [...x.grad!.toNumbers()]);
      };
      const [whole, parted] = [gradients(1), gradients(2)];
      whole.forEach((values, i) => {
        const most = values.reduce((size, value) => Math.max(size, Math.abs(value)), 0);
        const apart = values.reduce((size, value, j) => Math.max(size, Math.abs(value - parted[i]![j]!)), 0);
        expect(apart / most).toBeLessThan(2 * HALF_UNIT);
      });
    }));
});
