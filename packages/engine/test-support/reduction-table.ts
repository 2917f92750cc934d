/** Checks of `Tensor`'s methods that look at many elements at once, by name, for tensor.test.ts. */

import { scope, type Tensor, tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { expect } from 'vitest';
import { dims, plains, withDim } from './arbitrary.js';
import { compare, forAll } from './compare.js';
import { alongDim, mean, type Plain, reduceDims, sum } from './plain.js';

type Check = () => void;
type Along = { [M in keyof Tensor]: Tensor[M] extends (dim: number) => Tensor ? M : never }[keyof Tensor];

const whole = (plain: Plain, f: (values: number[]) => number): Plain => ({ shape: [], data: [f([...plain.data])] });

/** Over everything, and over one or several dimensions, kept or not. */
function reduction(method: 'sum' | 'mean', f: (values: readonly number[]) => number): Check {
  const examples = plains().chain((plain) => {
    const rank = plain.shape.length;
    const several = fc
      .uniqueArray(fc.nat(Math.max(rank - 1, 0)), { minLength: 1, maxLength: Math.max(rank, 1) })
      .map((some) => some.map((dim, i) => (i % 2 ? dim - rank : dim)));
    return fc.tuple(
      fc.constant(plain),
      rank > 0 ? fc.oneof(dims(rank), several) : fc.constant(undefined),
      fc.boolean(),
    );
  });
  return () =>
    forAll(examples, ([plain, dim, keepDim]) => {
      compare([plain], { ours: (x) => x![method](), slow: (p) => whole(p!, f), gradients: true });
      if (dim === undefined) return;
      compare([plain], {
        ours: (x) => x![method](dim, keepDim),
        slow: (p) => reduceDims(p!, [dim].flat(), keepDim, f),
        gradients: true,
      });
    });
}

/** Along one dimension, which then has size 1 or is gone. */
function collapse(
  ours: (x: Tensor, dim: number, keepDim: boolean) => Tensor,
  f: (values: number[]) => number,
  gradients = true,
  minSize = 1,
): Check {
  return () =>
    forAll(fc.tuple(withDim({ minSize }), fc.boolean()), ([[plain, dim], keepDim]) =>
      compare([plain], {
        ours: (x) => ours(x!, dim, keepDim),
        slow: (p) => reduceDims(p!, [dim], keepDim, f),
        gradients,
      }),
    );
}

function rows(method: Along, f: (values: number[]) => number[]): Check {
  return () =>
    forAll(withDim(), ([plain, dim]) =>
      compare([plain], { ours: (x) => x![method](dim), slow: (p) => alongDim(p!, dim, f), gradients: true }),
    );
}

const variance = (values: number[], correction: number): number =>
  sum(values.map((value) => (value - mean(values)) ** 2)) / (values.length - correction);
const logSumExp = (values: number[]): number => Math.log(sum(values.map(Math.exp)));
const argMax = (values: number[]): number => values.indexOf(Math.max(...values));
/** Positions in sorted order. */
const order = (values: number[], descending: boolean): number[] =>
  values.map((_, i) => i).sort((i, j) => (descending ? values[j]! - values[i]! : values[i]! - values[j]!));

/** Values and their positions along `dim`, as `sort` and `topk` return them. */
function ordered(p: Plain, dim: number, descending: boolean, k: number): [Plain, Plain] {
  const chosen = (values: number[]): number[] => order(values, descending).slice(0, k);
  return [alongDim(p, dim, (values) => chosen(values).map((i) => values[i]!)), alongDim(p, dim, chosen)];
}

export const reductions = {
  sum: reduction('sum', sum),
  mean: reduction('mean', mean),
  std: () => {
    collapse(
      (x, dim, keepDim) => x.std(dim, { keepDim }),
      (values) => Math.sqrt(variance(values, 0)),
      true,
      2,
    )();
    collapse(
      (x, dim, keepDim) => x.std(dim, { unbiased: true, keepDim }),
      (values) => Math.sqrt(variance(values, 1)),
      true,
      2,
    )();
  },
  amax: collapse(
    (x, dim, keepDim) => x.amax(dim, keepDim),
    (values) => Math.max(...values),
  ),
  argmax: () => {
    collapse((x, dim, keepDim) => x.argmax(dim, keepDim), argMax, false)();
    scope(() => expect(tensor([1, 3, 2]).argmax(0).dtype).toBe('int64'));
  },
  logsumexp: () => {
    collapse((x, dim, keepDim) => x.logsumexp(dim, keepDim), logSumExp)();
    scope(() => expect(tensor([1e30, -1e30], { dtype: 'float64' }).logsumexp(0).item()).toBe(1e30));
  },
  norm: () =>
    forAll(plains(), (plain) =>
      compare([plain], { ours: (x) => x!.norm(), slow: (p) => whole(p!, (v) => Math.hypot(...v)), gradients: true }),
    ),
  all: () => anyOrAll('all', (values) => values.every(Boolean)),
  any: () => anyOrAll('any', (values) => values.some(Boolean)),
  cumsum: rows('cumsum', (values) => values.map((_, i) => sum(values.slice(0, i + 1)))),
  softmax: rows('softmax', (values) => values.map((value) => Math.exp(value) / sum(values.map(Math.exp)))),
  logSoftmax: rows('logSoftmax', (values) => values.map((value) => value - logSumExp(values))),
  sort: () => {
    forAll(fc.tuple(withDim(), fc.boolean()), ([[plain, dim], descending]) =>
      compare([plain], {
        ours: (x) => x!.sort(dim, descending),
        slow: (p) => ordered(p!, dim, descending, p!.shape.at(dim)!),
        gradients: true,
      }),
    );
    const ties = Array.from({ length: 64 }, (_, i) => i % 3);
    scope(() => {
      const [, indices] = tensor(ties).sort();
      expect(indices.toArray()).toEqual(order(ties, false));
    });
  },
  topk: () =>
    forAll(
      withDim({ minSize: 2 }).chain(([plain, dim]) =>
        fc.tuple(fc.constant(plain), fc.constant(dim), fc.integer({ min: 1, max: plain.shape.at(dim)! })),
      ),
      ([plain, dim, k]) =>
        compare([plain], {
          ours: (x) => x!.topk(k, dim),
          slow: (p) => ordered(p!, dim, true, k),
          gradients: true,
        }),
    ),
  nonzero: () =>
    forAll(fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), (flags) =>
      scope(() => {
        const found = tensor([flags.slice(0, 3), flags.slice(3)], { dtype: 'bool' }).nonzero();
        const expected = flags.flatMap((flag, i) => (flag ? [[Math.floor(i / 3), i % 3]] : []));
        expect(found.dtype).toBe('int64');
        expect(found.shape).toEqual([expected.length, 2]);
        expect(found.toArray()).toEqual(expected);
      }),
    ),
} satisfies Partial<Record<keyof Tensor, Check>>;

function anyOrAll(method: 'any' | 'all', f: (values: boolean[]) => boolean): void {
  forAll(fc.array(fc.boolean(), { maxLength: 4 }), (values) =>
    scope(() => {
      const result = tensor(values, { dtype: 'bool' })[method]();
      expect([result.dtype, result.shape, result.item()]).toEqual(['bool', [], Number(f(values))]);
    }),
  );
}
