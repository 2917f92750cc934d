import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { broadcastPairs, plainOf, plains, withDim } from '../test-support/arbitrary.js';
import { compare, expectPlain, forAll, toTensor } from '../test-support/compare.js';
import { at, build, map, type Plain, positive, sum } from '../test-support/plain.js';
import * as foreach from './foreach.js';
import * as functions from './functions.js';
import { scope, tensor } from './index.js';

/** Tensors that differ in size along one dimension only. */
const parts = withDim({ maxRank: 2 }).chain(([plain, dim]) =>
  fc
    .tuple(
      fc.constant(dim),
      fc
        .array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 })
        .chain((sizes) => fc.tuple(...sizes.map((size) => plainOf(plain.shape.with(dim, size))))),
    )
    .map(([d, tensors]) => [tensors as Plain[], d] as const),
);

function concatenated(tensors: readonly Plain[], dim: number): Plain {
  const d = positive(dim, tensors[0]!.shape.length);
  const starts = tensors.map((_, i) => sum(tensors.slice(0, i).map((p) => p.shape[d]!)));
  const total = sum(tensors.map((p) => p.shape[d]!));
  return build(tensors[0]!.shape.with(d, total), (index) => {
    const which = starts.findLastIndex((start) => start <= index[d]!);
    const inside = index.with(d, index[d]! - starts[which]!);
    // not at(): a size of 1 is no broadcast here
    const part = tensors[which]!;
    return part.data[part.shape.reduce((position, size, k) => position * size + inside[k]!, 0)]!;
  });
}

const checks: Record<keyof typeof functions, () => void> = {
  cat: () =>
    forAll(parts, ([tensors, dim]) =>
      compare(tensors, {
        ours: (...list) => functions.cat(list, dim),
        slow: (...list) => concatenated(list, dim),
        gradients: true,
      }),
    ),
  stack: () =>
    forAll(
      plains({ maxRank: 2 }).chain((plain) =>
        fc.tuple(
          fc.array(plainOf(plain.shape), { minLength: 1, maxLength: 3 }),
          fc.integer({ min: -plain.shape.length - 1, max: plain.shape.length }),
        ),
      ),
      ([tensors, dim]) =>
        compare(tensors, {
          ours: (...list) => functions.stack(list, dim),
          slow: (...list) => {
            const { shape } = list[0]!;
            const d = positive(dim, shape.length + 1);
            return build(shape.toSpliced(d, 0, list.length), (index) => at(list[index[d]!]!, index.toSpliced(d, 1)));
          },
          gradients: true,
        }),
    ),
  where: () =>
    forAll(fc.tuple(broadcastPairs(), fc.constantFrom(-1, 0, 1)), ([[yes, no], threshold]) =>
      compare([yes, no], {
        ours: (a, b) => functions.where(a!.detach().gt(threshold), a!, b!),
        slow: (a, b) => map((x, y) => (x > threshold ? x : y), a!, b!),
        gradients: true,
      }),
    ),
  linear: () =>
    forAll(
      fc
        .tuple(plains({ minRank: 1 }), fc.integer({ min: 1, max: 3 }), fc.boolean())
        .chain(([x, out, bias]) =>
          fc.tuple(fc.constant(x), plainOf([out, x.shape.at(-1)!]), ...(bias ? [plainOf([out])] : [])),
        ),
      (inputs) =>
        compare(inputs, {
          ours: (x, weight, bias) => functions.linear(x!, weight!, bias),
          slow: (x, weight, bias) => {
            const [out, width] = weight!.shape as [number, number];
            return build([...x!.shape.slice(0, -1), out], (index) => {
              const row = index.at(-1)!;
              const products = Array.from(
                { length: width },
                (_, i) => at(x!, [...index.slice(0, -1), i]) * at(weight!, [row, i]),
              );
              return sum(products) + (bias ? at(bias, [row]) : 0);
            });
          },
          gradients: true,
        }),
    ),
  embedding: () =>
    forAll(fc.tuple(plainOf([4, 3]), fc.array(fc.nat(3), { minLength: 6, maxLength: 6 })), ([weight, ids]) =>
      compare([weight], {
        ours: (w) => functions.embedding(w!, tensor([ids.slice(0, 3), ids.slice(3)], { dtype: 'int64' })),
        slow: (w) => build([2, 3, 3], ([i, j, k]) => at(w!, [ids[3 * i! + j!]!, k!])),
        gradients: true,
      }),
    ),
  addcmul: () =>
    forAll(fc.tuple(broadcastPairs(), fc.constantFrom(undefined, 2, -0.5)), ([[a, b], value]) =>
      compare([map((x, y) => x - y, a, b), a, b], {
        ours: (self, x, y) => functions.addcmul(self!, x!, y!, value),
        slow: (self, x, y) => map((s, v, w) => s + (value ?? 1) * v * w, self!, x!, y!),
        gradients: true,
      }),
    ),
  binaryCrossEntropyWithLogits: () =>
    forAll(
      plains().chain((logits) => fc.tuple(fc.constant(logits), plainOf(logits.shape, { positive: true }))),
      ([logits, positives]) => {
        const targets = map((x) => x / 7, positives);
        compare([logits], {
          ours: (x) => functions.binaryCrossEntropyWithLogits(x!, toTensor(targets)),
          slow: (x) =>
            map(
              (logit, t) => t * Math.log(1 + Math.exp(-logit)) + (1 - t) * Math.log(1 + Math.exp(logit)),
              x!,
              targets,
            ),
          gradients: true,
        });
      },
    ),
};

const foreachChecks: Record<keyof typeof foreach, () => void> = {
  foreachMul_: () =>
    inPlace(
      (self) => foreach.foreachMul_(self, 0.5),
      (x) => x * 0.5,
    ),
  foreachAdd_: () => {
    inPlace(
      (self, a) => foreach.foreachAdd_(self, a),
      (x, a) => x + a,
    );
    inPlace(
      (self, a) => foreach.foreachAdd_(self, a, -0.25),
      (x, a) => x - 0.25 * a,
    );
  },
  foreachAddcmul_: () =>
    inPlace(
      (self, a, b) => foreach.foreachAddcmul_(self, a, b, 0.75),
      (x, a, b) => x + 0.75 * a * b,
    ),
};

type Lists = ReturnType<typeof tensor>[];

/** Three lists of tensors of different shapes; the first is changed, the others stay. */
function inPlace(
  apply: (self: Lists, a: Lists, b: Lists) => void,
  f: (x: number, a: number, b: number) => number,
): void {
  const triple = (shape: number[]) =>
    fc.tuple(plainOf(shape), plainOf(shape, { offset: 1 }), plainOf(shape, { offset: 2 }));
  forAll(fc.tuple(triple([2, 3]), triple([]), triple([4]), triple([0])), (triples) =>
    scope(() => {
      const [self, a, b] = [0, 1, 2].map((which) => triples.map((plains) => toTensor(plains[which]!))) as [
        Lists,
        Lists,
        Lists,
      ];
      apply(self, a, b);
      triples.forEach(([x, y, z], i) => {
        expectPlain(self[i]!, map(f, x, y, z));
        expectPlain(a[i]!, y);
        expectPlain(b[i]!, z);
      });
    }),
  );
}

describe('functions over several tensors', () => {
  test.each(Object.entries(checks))('%s', (_, check) => {
    check();
  });
  test('the table has them all', () => expect(Object.keys(checks).sort()).toEqual(Object.keys(functions).sort()));
});

describe('functions over lists, in place', () => {
  test.each(Object.entries(foreachChecks))('%s', (_, check) => {
    check();
  });
  test('the table has them all', () => expect(Object.keys(foreachChecks).sort()).toEqual(Object.keys(foreach).sort()));
});
