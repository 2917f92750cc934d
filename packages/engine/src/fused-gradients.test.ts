/**
 * The fused operators' gradients against central differences of the kernels themselves, float32; those that are also made of libtorch's
 * operators, in float64 too. (fused.test.ts holds values and gradients against plain formulas.) And that second derivatives are refused.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectGradients, gridNormal } from '../test-support/central-difference.js';
import { collectGarbage } from '../test-support/collect-garbage.js';
import {
  type AngleTables,
  arange,
  backward,
  embedding,
  fusedAttention,
  fusedLinear,
  fusedQueryAttention,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSplitRotate,
  fusedSwiglu,
  fusedTargetLogProb,
  grad,
  liveTensors,
  ones,
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

const int64 = (values: number[], shape: number[]): Tensor => tensor(Int32Array.from(values), { dtype: 'int64', shape });

/** Inputs and what is done with them. */
interface Case {
  shapes: number[][];
  run: (inputs: Tensor[]) => Tensor | Tensor[];
}

const targetsOf = (N: number, V: number): Tensor =>
  int64(
    Array.from({ length: N }, (_, i) => (i * 7919) % V),
    [N],
  );

/** Operators with kernels of their own for float32, and made of libtorch's for float64. Sizes around vectors and blocks of rows. */
const everywhere: Record<string, Case> = {
  rms_norm: { shapes: [[67, 19], [19]], run: ([x, w]) => fusedRmsNorm(x!, w!, 1e-5) },
  'residual_norm, both results': {
    shapes: [[67, 19], [67, 19], [19], [19]],
    run: ([u, x, v, w]) => fusedResidualNorm(u!, x!, v!, w!, 1e-5),
  },
  'residual_norm, the sum alone': {
    shapes: [[5, 16], [5, 16], [16]],
    run: ([u, x, v]) => fusedResidualNorm(u!, x!, v!, ones([16], { dtype: u!.dtype }), 1e-5)[0],
  },
  swiglu: { shapes: [[9, 2 * 21]], run: ([joined]) => fusedSwiglu(joined!) },
  linear: {
    shapes: [
      [3, 11, 13],
      [18, 13],
    ],
    run: ([x, w]) => fusedLinear(x!, w!),
  },
  'target_log_prob, one block of words': {
    shapes: [
      [7, 6],
      [41, 6],
    ],
    run: ([h, w]) => fusedTargetLogProb(h!, w!, targetsOf(7, 41)),
  },
  'target_log_prob, three blocks, equal targets': {
    shapes: [
      [6, 4],
      [4200, 4],
    ],
    run: ([h, w]) => fusedTargetLogProb(h!, w!, int64([0, 0, 2047, 2048, 4199, 4199], [6])),
  },
  split_rotate: {
    shapes: [[2, 5, (4 + 2 * 2) * 6]],
    run: ([qkv]) => fusedSplitRotate(qkv!, anglesOf(2, 5, 6, qkv!), 4, 2),
  },
};

/** Angles that differ by row and place. */
function anglesOf(B: number, T: number, D: number, like: Tensor): AngleTables {
  const P = D / 2;
  const angle = arange(0, B * T * P, { dtype: 'float64' })
    .view(B, T, P)
    .mul(0.37);
  const table = (of: Tensor): Tensor => of.to({ dtype: like.dtype }).contiguous();
  return { cos: table(angle.cos()), sin: table(angle.sin()) };
}

/** The first key of each place where documents of 13 and 7 places alternate. */
function documents(B: number, T: number): Tensor {
  const starts = Array.from({ length: T }, (_, t) => t - ((t % 20 < 13 ? t % 20 : (t % 20) - 13) as number));
  return int64(Array.from({ length: B }, () => starts).flat(), [B, T]);
}

interface AttentionCase {
  name: string;
  B: number;
  T: number;
  H: number;
  G: number;
  D: number;
  window: number | null;
  first: (B: number, T: number) => Tensor | null;
}

const noFirst = (): null => null;
/** The first three places see nothing, the others what comes after them. */
const leftPadded = (B: number, T: number): Tensor =>
  int64(
    Array.from({ length: B * T }, () => 3),
    [B, T],
  );

/** T of 67 is a block of queries and a rest; D of 6 and 18 no whole vectors. */
const attentions: AttentionCase[] = [
  { name: 'causal', B: 2, T: 67, H: 2, G: 2, D: 6, window: null, first: noFirst },
  { name: 'grouped heads', B: 1, T: 21, H: 6, G: 2, D: 18, window: null, first: noFirst },
  { name: 'document boundaries', B: 2, T: 67, H: 2, G: 1, D: 6, window: null, first: documents },
  { name: 'a window', B: 1, T: 67, H: 2, G: 1, D: 6, window: 9, first: noFirst },
  { name: 'a window and boundaries', B: 1, T: 70, H: 2, G: 1, D: 16, window: 5, first: documents },
  { name: 'left padding', B: 1, T: 12, H: 2, G: 1, D: 6, window: null, first: leftPadded },
];

describe('central differences', () => {
  for (const dtype of ['float32', 'float64'] as const) {
    test.each(Object.keys(everywhere))(`${dtype} %s`, (name) =>
      scope(() => {
        const { shapes, run } = everywhere[name]!;
        expectGradients(
          shapes.map((shape) => gridNormal(...shape)),
          run,
          dtype,
        );
      }),
    );
  }

  test.each(attentions)('attention: $name', ({ B, T, H, G, D, window, first }) =>
    scope(() => {
      const qkv = gridNormal(B, T, (H + 2 * G) * D);
      const run = ([x]: Tensor[]): Tensor =>
        fusedAttention(x!, anglesOf(B, T, D, x!), first(B, T), { heads: H, kvHeads: G, window });
      expectGradients([qkv], run, 'float32');
    }),
  );

  test.each(attentions)('query_attention: $name', ({ B, T, H, G, D, window, first }) =>
    scope(() => {
      const C = Math.min(T, 9);
      const places = Array.from({ length: B * C }, (_, i) => (i * 29 + 4) % T);
      const last = int64(places, [B, C]);
      const qkv = gridNormal(B, T, (H + 2 * G) * D);
      const firstBC = first(B, T)?.gather(1, last) ?? null;
      const run = ([q]: Tensor[]): Tensor =>
        fusedQueryAttention(
          q!,
          qkv,
          anglesOf(B, C, D, q!),
          anglesOf(B, T, D, q!),
          { last, first: firstBC },
          { heads: H, kvHeads: G, window },
        );
      expectGradients([gridNormal(B, C, H * D)], run, 'float32');
    }),
  );
});

describe('second derivatives', () => {
  const bfloat16 = { dtype: 'bfloat16' } as const;
  const heads = { heads: 1, kvHeads: 1, window: null };
  const operators: [name: string, shape: number[], run: (x: Tensor) => Tensor][] = [
    ['rms_norm', [3, 4], (x) => fusedRmsNorm(x, ones([4]), 1e-5)],
    ['residual_norm', [3, 4], (x) => fusedResidualNorm(x, x, ones([4]), ones([4]), 1e-5)[1]],
    ['swiglu', [3, 4], fusedSwiglu],
    ['linear', [3, 4], (x) => fusedLinear(x, ones([2, 4]))],
    ['target_log_prob', [3, 4], (x) => fusedTargetLogProb(x, ones([2, 4]), targetsOf(3, 2))],
    ['attention', [1, 2, 12], (x) => fusedAttention(x, anglesOf(1, 2, 4, x), null, heads)],
    [
      'query_attention',
      [1, 2, 4],
      (x) => {
        const angles = anglesOf(1, 2, 4, x);
        const places = { last: int64([0, 1], [1, 2]), first: null };
        return fusedQueryAttention(x, ones([1, 2, 12]), angles, angles, places, heads);
      },
    ],
    ['split_rotate', [1, 2, 12], (x) => fusedSplitRotate(x, anglesOf(1, 2, 4, x), 1, 1)[0]],
    ['rms_norm', [3, 4], (x) => fusedRmsNorm(x.to(bfloat16), ones([4], bfloat16), 1e-5)],
    ['swiglu', [3, 4], (x) => fusedSwiglu(x.to(bfloat16))],
    ['target_log_prob', [3, 4], (x) => fusedTargetLogProb(x.to(bfloat16), ones([2, 4], bfloat16), targetsOf(3, 2))],
    ['embedding', [3, 4], (x) => embedding(x.to(bfloat16), targetsOf(3, 3))],
  ];

  test.each(operators)('are refused by %s of %j', (name, shape, run) =>
    scope(() => {
      const x = gridNormal(...shape);
      x.requiresGrad = true;
      const message = `looprpt::${name} has no second derivative: take this gradient without createGraph`;
      expect(() => grad([run(x).sum()], [x], { createGraph: true })).toThrow(message);
      expect(() => backward(run(x).sum(), undefined, { createGraph: true })).toThrow(message);
      expect(grad([run(x).sum()], [x])[0]!.shape).toEqual(shape);
    }),
  );
});
