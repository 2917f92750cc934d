/** Fused operators against the same formulas from plain operators in float64: values, and every gradient. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import {
  arange,
  backward,
  cat,
  fusedAdamW_,
  fusedAttention,
  fusedLinear,
  fusedNextTokenEntropy,
  fusedQueryAttention,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSwiglu,
  fusedTargetLogProb,
  Generator,
  linear,
  liveTensors,
  noGrad,
  randn,
  scope,
  type Tensor,
  tensor,
  where,
  zeros,
} from './index.js';

let live: number;
beforeEach(async () => {
  await collectGarbage();
  live = liveTensors();
});
afterEach(() => {
  expect(liveTensors()).toBe(live);
});

const random = new Generator(11);
const normal = (...shape: number[]): Tensor => randn(shape, { generator: random });
const double = (x: Tensor): Tensor => x.detach().to({ dtype: 'float64' });

function largestDifference(a: Tensor, b: Tensor): number {
  return double(a).sub(double(b)).abs().reshape(-1).amax(0).item();
}

/**
 * Runs both versions on the same inputs, float32 and float64, and compares results and the gradients of a random linear
 * functional of them.
 */
function compare(
  inputs: Tensor[],
  fused: (x: Tensor[]) => Tensor[],
  plain: (x: Tensor[]) => Tensor[],
  tolerance = 3e-5,
): void {
  const single = inputs.map((x) => x.detach().clone());
  const wide = inputs.map(double);
  for (const x of [...single, ...wide]) x.requiresGrad = true;
  const a = fused(single);
  const b = plain(wide);
  const weights = b.map((y) => normal(...y.shape));
  const functional = (ys: Tensor[], of: (w: Tensor) => Tensor): Tensor =>
    ys.map((y, i) => y.mul(of(weights[i]!)).sum()).reduce((sum, term) => sum.add(term));
  backward(functional(a, (w) => w));
  backward(functional(b, double));
  for (const [i, y] of a.entries()) expect(largestDifference(y, b[i]!), `result ${i}`).toBeLessThan(tolerance);
  single.forEach((x, i) => {
    const reference = wide[i]!.grad!;
    const size = Math.max(1, reference.abs().reshape(-1).amax(0).item());
    expect(largestDifference(x.grad!, reference) / size, `gradient ${i}`).toBeLessThan(tolerance);
  });
}

const rms = (x: Tensor, w: Tensor, eps: number): Tensor => x.mul(x.square().mean(-1, true).add(eps).rsqrt()).mul(w);

describe('norms and SwiGLU', () => {
  // Widths below, at and between multiples of a vector; rows around a block of 64.
  const shapes = [
    [3, 6],
    [64, 16],
    [65, 48],
    [130, 37],
  ];
  it.each(shapes)('rms_norm of %i rows of %i', (rows, E) =>
    scope(() =>
      compare(
        [normal(rows, E), normal(E)],
        ([x, w]) => [fusedRmsNorm(x!, w!, 1e-5)],
        ([x, w]) => [rms(x!, w!, 1e-5)],
      ),
    ),
  );

  it.each(shapes)('residual_norm of %i rows of %i', (rows, E) =>
    scope(() =>
      compare(
        [normal(rows, E), normal(rows, E), normal(E), normal(E)],
        ([u, x, w1, w2]) => fusedResidualNorm(u!, x!, w1!, w2!, 1e-5),
        ([u, x, w1, w2]) => {
          const sum = x!.add(rms(u!, w1!, 1e-5));
          return [sum, rms(sum, w2!, 1e-5)];
        },
      ),
    ),
  );

  it.each([0, 1])('residual_norm when only result %i is used', (used) =>
    scope(() =>
      compare(
        [normal(70, 20), normal(70, 20), normal(20), used === 0 ? normal(20) : normal(20)],
        ([u, x, w1, w2]) => [fusedResidualNorm(u!, x!, w1!, w2!, 1e-5)[used]!.add(w2!.sum().mul(0))],
        ([u, x, w1, w2]) => {
          const sum = x!.add(rms(u!, w1!, 1e-5));
          return [[sum, rms(sum, w2!, 1e-5)][used]!.add(w2!.sum().mul(0))];
        },
      ),
    ),
  );

  it.each(shapes)('swiglu of %i rows of %i', (rows, F) =>
    scope(() =>
      compare(
        [normal(rows, 2 * F).mul(4)],
        ([y]) => [fusedSwiglu(y!)],
        ([y]) => [
          y!
            .slice(-1, 0, F)
            .silu()
            .mul(y!.slice(-1, F, 2 * F)),
        ],
      ),
    ),
  );

  it('swiglu stays finite at extreme gates', () =>
    scope(() => {
      const y = fusedSwiglu(tensor([[-200, -90, 0, 90, 200, 1, 1, 1, 1, 1]]));
      expect(Array.from(y.toNumbers())).toEqual([expect.closeTo(0, 5), expect.closeTo(0, 5), 0, 90, 200]);
    }));
});

describe('the LM head', () => {
  // 300 rows of 60 000 words go through in two chunks. All of these keep their probabilities for the backward pass.
  const shapes = [
    { N: 1, E: 4, V: 3 },
    { N: 70, E: 12, V: 37 },
    { N: 300, E: 6, V: 60_000 },
  ];
  it.each(shapes)('target_log_prob of $N rows over $V words', ({ N, E, V }) =>
    scope(() => {
      const targets = tensor(
        Int32Array.from({ length: N }, (_, i) => (i * 7919) % V),
        { dtype: 'int64' },
      );
      compare(
        [normal(N, E), normal(V, E)],
        ([h, w]) => [fusedTargetLogProb(h!, w!, targets)],
        ([h, w]) => [linear(h!, w!).logSoftmax(-1).gather(1, targets.unsqueeze(1)).squeeze(1)],
        // Sums over a large vocabulary round more, plain operators' too.
        V > 1000 ? 3e-4 : 3e-5,
      );
    }),
  );

  it('target_log_prob of more than is kept does its products again, with the same results as in parts', () =>
    scope(() => {
      const [N, E, V, parts] = [1200, 2, 120_000, 4];
      const [h, w] = [normal(N, E), normal(V, E)];
      const targets = tensor(
        Int32Array.from({ length: N }, (_, i) => (i * 7919) % V),
        { dtype: 'int64' },
      );
      const weights = normal(N);
      const run = (from: number, to: number): { logProbs: number[]; dHidden: number[]; dWeight: Float64Array } =>
        scope(() => {
          const [rows, head] = [h.slice(0, from, to).contiguous().detach(), w.detach()];
          for (const leaf of [rows, head]) leaf.requiresGrad = true;
          const logProbs = fusedTargetLogProb(rows, head, targets.slice(0, from, to).contiguous());
          backward(logProbs.mul(weights.slice(0, from, to)).sum());
          const dWeight = head.grad!.toNumbers();
          return { logProbs: [...logProbs.toNumbers()], dHidden: [...rows.grad!.toNumbers()], dWeight };
        });
      const whole = run(0, N);
      const sizes = Array.from({ length: parts }, (_, i) => [(i * N) / parts, ((i + 1) * N) / parts] as const);
      const each = sizes.map(([from, to]) => run(from, to));
      const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
        let most = 0;
        for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
        return most;
      };
      const dWeight = each[0]!.dWeight.map((_, i) => each.reduce((sum, part) => sum + part.dWeight[i]!, 0));
      expect(
        farthest(
          whole.logProbs,
          each.flatMap(({ logProbs }) => logProbs),
        ),
      ).toBeLessThan(1e-5);
      expect(
        farthest(
          whole.dHidden,
          each.flatMap(({ dHidden }) => dHidden),
        ),
      ).toBeLessThan(1e-5);
      expect(farthest(whole.dWeight, dWeight)).toBeLessThan(1e-4);
    }));

  it.each(shapes)('next_token_entropy of $N rows over $V words', ({ N, E, V }) =>
    scope(() => {
      const [h, w] = [normal(N, E), normal(V, E)];
      const log = linear(double(h), double(w)).logSoftmax(-1);
      const plain = log.exp().mul(log).sum(-1).neg();
      expect(largestDifference(fusedNextTokenEntropy(h, w), plain)).toBeLessThan(1e-4);
    }),
  );

  it('refuses a target outside the vocabulary', () =>
    scope(() => {
      const targets = tensor([5], { dtype: 'int64' });
      expect(() => fusedTargetLogProb(normal(1, 4), normal(5, 4), targets)).toThrow(
        'target 5 lies outside the vocabulary of 5',
      );
    }));
});

describe('linear', () => {
  it.each([
    [1, 3, 5],
    [70, 12, 37],
    [130, 48, 96],
  ])('%i rows, %i → %i', (rows, from, to) =>
    scope(() =>
      compare(
        [normal(2, rows, from), normal(to, from)],
        ([x, w]) => [fusedLinear(x!, w!)],
        ([x, w]) => [linear(x!, w!)],
      ),
    ),
  );

  it('takes rows that are not contiguous, and a weight that is a slice', () =>
    scope(() =>
      compare(
        [normal(6, 9), normal(14, 6)],
        ([x, w]) => [fusedLinear(x!.transpose(0, 1), w!.slice(0, 3, 10))],
        ([x, w]) => [linear(x!.transpose(0, 1), w!.slice(0, 3, 10))],
      ),
    ));

  it('refuses sizes that do not fit', () =>
    scope(() => expect(() => fusedLinear(normal(2, 3), normal(4, 5))).toThrow('[2, 3] and [4, 5]')));

  it('of no rows is nothing, and its gradients are zeros; so is the readout', () =>
    scope(() => {
      const [x, w] = [normal(0, 3), normal(5, 3)];
      for (const leaf of [x, w]) leaf.requiresGrad = true;
      const y = fusedLinear(x, w);
      expect(y.shape).toEqual([0, 5]);
      const logProbs = fusedTargetLogProb(x, w, zeros([0], { dtype: 'int64' }));
      expect(logProbs.shape).toEqual([0]);
      backward(y.sum().add(logProbs.sum()));
      expect(x.grad!.shape).toEqual([0, 3]);
      expect(w.grad!.toNumbers()).toEqual(new Float64Array(15));
    }));
});

interface AttentionCase {
  B: number;
  T: number;
  H: number;
  G: number;
  D: number;
  documents: boolean;
  window: number | null;
}

/** cos and sin of place·10^(−2j/D), [B, T, D/2]; rows differ, as positions of packed documents do. */
function anglesOf(B: number, T: number, D: number): { cos: Tensor; sin: Tensor } {
  const angle = arange(0, T, { dtype: 'float32' })
    .view(1, T, 1)
    .add(arange(0, B, { dtype: 'float32' }).view(B, 1, 1));
  const by = angle.mul(
    arange(0, D / 2, { dtype: 'float32' })
      .mul((-2 * Math.log(10)) / D)
      .exp(),
  );
  return { cos: by.cos().contiguous(), sin: by.sin().contiguous() };
}

function firstKeys(B: number, T: number): Tensor {
  const first = new Int32Array(B * T);
  for (let b = 0; b < B; b++)
    for (let t = 0, start = 0; t < T; t++) {
      if ((t * 5 + b * 3) % 13 === 0) start = t;
      first[b * T + t] = start;
    }
  return tensor(first, { shape: [B, T], dtype: 'int64' });
}

function rotate(x: Tensor, { cos, sin }: { cos: Tensor; sin: Tensor }): Tensor {
  const half = x.size(-1) / 2;
  const [c, s] = [double(cos).unsqueeze(2), double(sin).unsqueeze(2)];
  const [a, b] = [x.slice(-1, 0, half), x.slice(-1, half, 2 * half)];
  return cat([a.mul(c).sub(b.mul(s)), b.mul(c).add(a.mul(s))], -1);
}

/** Attention one obvious step after the other, on rotated heads [B, places, heads, D]. */
function plainAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  last: Tensor,
  first: Tensor | null,
  window: number | null,
): Tensor {
  const R = q.size(2) / k.size(2);
  const [Q, K, V] = [q, k.repeatInterleave(R, 2), v.repeatInterleave(R, 2)].map((x) => x.transpose(1, 2)) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const key = arange(0, k.size(1));
  let seen = key.le(last.unsqueeze(-1));
  if (first) seen = seen.logicalAnd(key.ge(first.unsqueeze(-1)));
  if (window !== null) seen = seen.logicalAnd(key.gt(last.unsqueeze(-1).sub(window)));
  const none = tensor(-1e300, { dtype: 'float64' });
  const bias = where(seen, zeros([], { dtype: 'float64' }), none).unsqueeze(1);
  const scores = Q.matmul(K.transpose(2, 3))
    .div(Math.sqrt(q.size(3)))
    .add(bias);
  return scores.softmax(-1).matmul(V).transpose(1, 2).reshape(q.size(0), q.size(1), -1);
}

describe('attention', () => {
  const cases: AttentionCase[] = [
    { B: 1, T: 1, H: 1, G: 1, D: 2, documents: false, window: null },
    { B: 2, T: 7, H: 2, G: 1, D: 4, documents: false, window: null },
    { B: 2, T: 65, H: 4, G: 2, D: 16, documents: true, window: null },
    { B: 1, T: 140, H: 3, G: 3, D: 34, documents: false, window: 9 },
    { B: 2, T: 130, H: 6, G: 2, D: 48, documents: true, window: 33 },
  ];

  it.each(cases)('a whole pass: $B×$T, $H/$G heads of $D, documents $documents, window $window', (c) =>
    scope(() => {
      const { B, T, H, G, D } = c;
      const angles = anglesOf(B, T, D);
      const first = c.documents ? firstKeys(B, T) : null;
      compare(
        [normal(B, T, (H + 2 * G) * D)],
        ([qkv]) => [fusedAttention(qkv!, angles, first, { heads: H, kvHeads: G, window: c.window })],
        ([qkv]) => {
          const x = qkv!.view(B, T, H + 2 * G, D);
          const [q, k] = [rotate(x.slice(2, 0, H), angles), rotate(x.slice(2, H, H + G), angles)];
          return [plainAttention(q, k, x.slice(2, H + G, H + 2 * G), arange(0, T).unsqueeze(0), first, c.window)];
        },
      );
    }),
  );

  it.each(cases)('queries apart: $B×$T, $H/$G heads of $D, documents $documents, window $window', (c) =>
    scope(() => {
      const { B, T, H, G, D } = c;
      const C = Math.min(T, 70);
      // Places in no order, some twice.
      const last = tensor(
        Int32Array.from({ length: B * C }, (_, i) => (i * 37 + 5) % T),
        { shape: [B, C], dtype: 'int64' },
      );
      const first = c.documents ? firstKeys(B, T).gather(1, last) : null;
      const keyAngles = anglesOf(B, T, D);
      const queryAngles = anglesOf(B, C, D);
      const qkv = normal(B, T, (H + 2 * G) * D);
      const shape = { heads: H, kvHeads: G, window: c.window };
      compare(
        [normal(B, C, H * D)],
        ([q]) => [fusedQueryAttention(q!, qkv, queryAngles, keyAngles, { last, first }, shape)],
        ([q]) => {
          const x = double(qkv).view(B, T, H + 2 * G, D);
          const k = rotate(x.slice(2, H, H + G), keyAngles);
          return [
            plainAttention(
              rotate(q!.view(B, C, H, D), queryAngles),
              k,
              x.slice(2, H + G, H + 2 * G),
              last,
              first,
              c.window,
            ),
          ];
        },
      );
    }),
  );

  it('gives no gradient to the keys and values of another pass', () =>
    scope(() => {
      const [q, qkv] = [normal(1, 2, 4), normal(1, 3, 12)];
      q.requiresGrad = true;
      qkv.requiresGrad = true;
      const last = tensor([[1, 2]], { dtype: 'int64' });
      const shape = { heads: 1, kvHeads: 1, window: null };
      backward(fusedQueryAttention(q, qkv, anglesOf(1, 2, 4), anglesOf(1, 3, 4), { last, first: null }, shape).sum());
      expect(qkv.grad).toBeNull();
      expect(q.grad).not.toBeNull();
    }));

  it.each([null, 5])('a query that is not a number gives none, and changes no other; window %s', (window) =>
    scope(() => {
      const [T, heads] = [70, { heads: 2, kvHeads: 1, window }];
      const qkv = normal(1, T, 4 * 6);
      const clean = fusedAttention(qkv, anglesOf(1, T, 6), null, heads).toNumbers();
      // One element of the second head's query at place 66.
      const broken = [...qkv.toNumbers()];
      broken[66 * 24 + 6] = Number.NaN;
      const out = fusedAttention(tensor(broken).view(1, T, 24), anglesOf(1, T, 6), null, heads).toNumbers();
      const hit = (i: number): boolean => i >= 66 * 12 + 6 && i < 67 * 12;
      expect([...out]).toEqual([...clean].map((value, i) => (hit(i) ? Number.NaN : value)));
    }),
  );

  it('refuses places that do not lie among the keys', () =>
    scope(() => {
      const shape = { heads: 1, kvHeads: 1, window: null };
      const [q, qkv] = [normal(1, 2, 4), normal(1, 3, 12)];
      const at = (last: number[], first: number[] | null) => () =>
        fusedQueryAttention(
          q,
          qkv,
          anglesOf(1, 2, 4),
          anglesOf(1, 3, 4),
          {
            last: tensor([last], { dtype: 'int64' }),
            first: first && tensor([first], { dtype: 'int64' }),
          },
          shape,
        );
      expect(at([0, 3], null)).toThrow('last: 3 does not lie between -1 and 2');
      expect(at([-2, 0], null)).toThrow('last: -2 does not lie between -1 and 2');
      expect(at([0, 2], [-1, 0])).toThrow('first: -1 does not lie between 0 and 3');
      expect(at([0, 2], [0, 4])).toThrow('first: 4 does not lie between 0 and 3');
      expect([...at([-1, 2], [0, 3])().toNumbers()]).toEqual(new Array(8).fill(0)); // neither sees a key
    }));

  it('refuses rows that do not hold the heads', () =>
    scope(() => {
      const shape = { heads: 2, kvHeads: 1, window: null };
      expect(() => fusedAttention(normal(1, 2, 10), anglesOf(1, 2, 2), null, shape)).toThrow(
        'does not hold 2 + 2·1 heads',
      );
    }));
});

describe('adamw_', () => {
  it('is the textbook update', () =>
    scope(() =>
      noGrad(() => {
        const [p, g, m, v] = [normal(40), normal(40), normal(40), normal(40).square()];
        const s = { scale: 0.5, beta1: 0.9, beta2: 0.95, keep: 0.99, step: 0.01, varianceScale: 3, epsilon: 1e-8 };
        const [p0, g0, m0, v0] = [p, g, m, v].map((x) => x.toNumbers()) as [
          Float64Array,
          Float64Array,
          Float64Array,
          Float64Array,
        ];
        fusedAdamW_(p, g, m, v, s);
        const [p1, m1, v1] = [p, m, v].map((x) => x.toNumbers()) as [Float64Array, Float64Array, Float64Array];
        p0.forEach((_, i) => {
          const mean = 0.9 * m0[i]! + 0.1 * 0.5 * g0[i]!;
          const variance = 0.95 * v0[i]! + 0.05 * (0.5 * g0[i]!) ** 2;
          expect(m1[i]).toBeCloseTo(mean, 6);
          expect(v1[i]).toBeCloseTo(variance, 6);
          expect(p1[i]).toBeCloseTo(0.99 * p0[i]! - (0.01 * mean) / (Math.sqrt(variance * 3) + 1e-8), 5);
        });
      }),
    ));

  // Of pieces of 1,024 and of parts of threads: whole ones, several and a rest.
  it.each([40, 1024, 70_001])(
    'of %i elements by a bfloat16 gradient: the bits of float32, and a rounded copy',
    (size) =>
      scope(() =>
        noGrad(() => {
          const half = { dtype: 'bfloat16' } as const;
          const [p, g, m, v] = [normal(size), normal(size).to(half), normal(size), normal(size).square()];
          const s = { scale: 0.5, beta1: 0.9, beta2: 0.95, keep: 0.99, step: 0.01, varianceScale: 3, epsilon: 1e-8 };
          const wide = [p, m, v].map((x) => x.clone()) as [Tensor, Tensor, Tensor];
          fusedAdamW_(wide[0], g.to({ dtype: 'float32' }), wide[1], wide[2], s);
          const copy = zeros([size], half);
          fusedAdamW_(p, g, m, v, s, copy);
          expect([p, m, v].map((x) => x.toNumbers())).toEqual(wide.map((x) => x.toNumbers()));
          expect(copy.toNumbers()).toEqual(p.to(half).toNumbers());
          expect(() => fusedAdamW_(p, g, m, v, s, p)).toThrow('the copy must be bfloat16');
        }),
      ),
  );
});
