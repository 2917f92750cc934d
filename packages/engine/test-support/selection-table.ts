/** Checks of `Tensor`'s methods that move elements about or pick some, by name, for tensor.test.ts. */

import { scope, type Tensor, tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { expect } from 'vitest';
import { dims, plainOf, plains, shapes, withDim } from './arbitrary.js';
import { compare, expectPlain, forAll, toTensor } from './compare.js';
import { alongDim, at, build, count, type Index, indices, map, type Plain, positive } from './plain.js';

type Check = () => void;

const toIndex = ({ shape, data }: Plain): Tensor => tensor(BigInt64Array.from(data.map(BigInt)), { shape });

/** The same elements in row-major order, in another shape. */
const reshaped = (plain: Plain, shape: readonly number[]): Plain => ({ shape, data: plain.data });

/** A tensor with a factorisation of its number of elements, one of whose sizes may be written as -1. */
const refactored = fc
  .tuple(shapes({ maxRank: 2 }), shapes({ maxRank: 2 }))
  .chain(([a, b]) =>
    fc.tuple(plainOf([...a, ...b]), fc.constant([...b, ...a]), fc.option(fc.nat(Math.max(0, a.length + b.length - 1)))),
  );

function reshaping(method: 'reshape' | 'view'): Check {
  return () =>
    forAll(refactored, ([plain, shape, inferred]) =>
      compare([plain], {
        ours: (x) => x![method](...(inferred !== null && shape.length > 0 ? shape.with(inferred, -1) : shape)),
        slow: (p) => reshaped(p!, shape),
        gradients: true,
      }),
    );
}

/** A tensor, a dimension, and an index tensor of as many dimensions whose elements are valid along that dimension. */
const gathered = withDim()
  .chain(([plain, dim]) =>
    fc.tuple(
      fc.constant(plain),
      fc.constant(dim),
      fc.tuple(...plain.shape.map((size) => fc.integer({ min: 1, max: size }))),
    ),
  )
  .chain(([plain, dim, shape]) => {
    const element = fc.nat(plain.shape.at(dim)! - 1);
    const n = count(shape);
    return fc.record({
      plain: fc.constant(plain),
      dim: fc.constant(dim),
      index: fc.array(element, { minLength: n, maxLength: n }).map((data): Plain => ({ shape, data })),
    });
  });

/** A tensor with different positions along one of its dimensions. */
const chosen = withDim().chain(([plain, dim]) =>
  fc.tuple(
    fc.constant(plain),
    fc.constant(dim),
    fc.uniqueArray(fc.nat(plain.shape.at(dim)! - 1), { minLength: 1, maxLength: 3 }),
  ),
);

const swapped = (index: Index, a: number, b: number): number[] => index.with(a, index.at(b)!).with(b, index.at(a)!);

export const selections = {
  reshape: reshaping('reshape'),
  view: () => {
    reshaping('view')();
    scope(() => {
      const x = tensor([1, 2, 3, 4]);
      x.view(2, 2).fill_(7);
      expect(x.toArray()).toEqual([7, 7, 7, 7]);
    });
  },
  viewAs: () =>
    scope(() => {
      const x = tensor(new Float32Array([1, -2.5]));
      expect(x.viewAs('int32').toTyped()).toEqual(new Int32Array(new Float32Array([1, -2.5]).buffer));
    }),
  transpose: () =>
    forAll(
      plains({ minRank: 1 }).chain((p) => fc.tuple(fc.constant(p), dims(p.shape.length), dims(p.shape.length))),
      ([plain, a, b]) =>
        compare([plain], {
          ours: (x) => x!.transpose(a, b),
          slow: (p) => build(swapped(p!.shape, a, b), (index) => at(p!, swapped(index, a, b))),
          gradients: true,
        }),
    ),
  permute: () =>
    forAll(
      plains({ minRank: 1 }).chain((p) =>
        fc.tuple(fc.constant(p), fc.shuffledSubarray([...p.shape.keys()], { minLength: p.shape.length })),
      ),
      ([plain, order]) =>
        compare([plain], {
          ours: (x) => x!.permute(...order),
          slow: (p) =>
            build(
              order.map((dim) => p!.shape[dim]!),
              (index) =>
                at(
                  p!,
                  order.map((_, dim) => index[order.indexOf(dim)]!),
                ),
            ),
          gradients: true,
        }),
    ),
  unsqueeze: () =>
    forAll(
      plains().chain((p) => fc.tuple(fc.constant(p), dims(p.shape.length + 1))),
      ([plain, dim]) =>
        compare([plain], {
          ours: (x) => x!.unsqueeze(dim),
          slow: (p) => reshaped(p!, p!.shape.toSpliced(positive(dim, p!.shape.length + 1), 0, 1)),
          gradients: true,
        }),
    ),
  squeeze: () =>
    forAll(withDim({ maxSize: 2 }), ([plain, dim]) =>
      compare([plain], {
        ours: (x) => x!.squeeze(dim),
        slow: (p) => reshaped(p!, p!.shape.at(dim) === 1 ? p!.shape.toSpliced(dim, 1) : p!.shape),
        gradients: true,
      }),
    ),
  expand: () =>
    forAll(
      fc
        .tuple(shapes({ maxRank: 2 }), fc.integer({ min: 1, max: 3 }))
        .chain(([shape, n]) => fc.tuple(plainOf([1, ...shape]), fc.constant([2, n, ...shape]), fc.boolean())),
      ([plain, shape, keep]) =>
        compare([plain], {
          ours: (x) => x!.expand(...(keep ? shape.map((size, dim) => (dim > 1 ? -1 : size)) : shape)),
          slow: (p) => build(shape, (index) => at(p!, index)),
          gradients: true,
        }),
    ),
  flatten: () =>
    forAll(withDim(), ([plain, dim]) => {
      const start = positive(dim, plain.shape.length);
      compare([plain], { ours: (x) => x!.flatten(), slow: (p) => reshaped(p!, [p!.data.length]), gradients: true });
      compare([plain], {
        ours: (x) => x!.flatten(dim),
        slow: (p) => reshaped(p!, [...p!.shape.slice(0, start), count(p!.shape.slice(start))]),
      });
      compare([plain], {
        ours: (x) => x!.flatten(0, dim),
        slow: (p) => reshaped(p!, [count(p!.shape.slice(0, start + 1)), ...p!.shape.slice(start + 1)]),
      });
    }),
  slice: () =>
    forAll(
      fc.tuple(withDim(), fc.integer({ min: -4, max: 4 }), fc.integer({ min: -4, max: 4 })),
      ([[plain, dim], from, to]) => {
        // libtorch and JavaScript agree on what negative and too large limits mean
        const kept = Array.from({ length: plain.shape.at(dim)! }, (_, i) => i).slice(from, to);
        compare([plain], {
          ours: (x) => x!.slice(dim, from, to),
          slow: (p) =>
            kept.length > 0
              ? alongDim(p!, dim, (values) => values.slice(from, to))
              : { shape: p!.shape.with(dim, 0), data: [] },
          gradients: true,
        });
      },
    ),
  select: () =>
    forAll(
      withDim().chain(([p, dim]) => fc.tuple(fc.constant(p), fc.constant(dim), dims(p.shape.at(dim)!))),
      ([plain, dim, i]) =>
        compare([plain], {
          ours: (x) => x!.select(dim, i),
          slow: (p) => {
            const line = alongDim(p!, dim, (values) => [values.at(i)!]);
            return reshaped(line, line.shape.toSpliced(dim, 1));
          },
          gradients: true,
        }),
    ),
  split: () =>
    forAll(fc.tuple(withDim(), fc.integer({ min: 1, max: 3 })), ([[plain, dim], size]) =>
      compare([plain], {
        ours: (x) => x!.split(size, dim),
        slow: (p) =>
          Array.from({ length: Math.ceil(p!.shape.at(dim)! / size) }, (_, i) =>
            alongDim(p!, dim, (values) => values.slice(i * size, (i + 1) * size)),
          ),
        gradients: true,
      }),
    ),
  repeatInterleave: () =>
    forAll(fc.tuple(withDim(), fc.integer({ min: 1, max: 3 })), ([[plain, dim], repeats]) =>
      compare([plain], {
        ours: (x) => x!.repeatInterleave(repeats, dim),
        slow: (p) => alongDim(p!, dim, (values) => values.flatMap((value) => Array<number>(repeats).fill(value))),
        gradients: true,
      }),
    ),
  indexSelect: () =>
    forAll(chosen, ([plain, dim, positions]) =>
      compare([plain], {
        ours: (x) => x!.indexSelect(dim, tensor([...positions, positions[0]!], { dtype: 'int64' })),
        slow: (p) => alongDim(p!, dim, (values) => [...positions, positions[0]!].map((i) => values[i]!)),
        gradients: true,
      }),
    ),
  gather: () =>
    forAll(gathered, ({ plain, dim, index }) =>
      compare([plain], {
        ours: (x) => x!.gather(dim, toIndex(index)),
        slow: (p) => build(index.shape, (i) => at(p!, i.with(dim, at(index, i)))),
        gradients: true,
      }),
    ),
  scatter_: () =>
    forAll(gathered, ({ plain, dim, index }) =>
      scope(() => {
        const x = toTensor(plain);
        expect(x.scatter_(dim, toIndex(index), 9)).toBe(x);
        const hit = new Set(indices(index.shape).map((i) => String(i.with(dim, at(index, i)))));
        expectPlain(
          x,
          build(plain.shape, (i) => (hit.has(String(i)) ? 9 : at(plain, i))),
        );
      }),
    ),
  indexCopy_: () =>
    forAll(chosen, ([plain, dim, positions]) =>
      scope(() => {
        const x = toTensor(plain);
        const source = alongDim(plain, dim, () => positions.map((i) => i + 10));
        expect(x.indexCopy_(dim, tensor(positions, { dtype: 'int64' }), toTensor(source))).toBe(x);
        expectPlain(
          x,
          alongDim(plain, dim, (values) => values.map((value, i) => (positions.includes(i) ? i + 10 : value))),
        );
      }),
    ),
  maskedFill: () =>
    forAll(fc.tuple(plains(), fc.integer({ min: -2, max: 2 })), ([plain, value]) => {
      const mask = map((x) => x > 0, plain);
      compare([plain], {
        ours: (x) => x!.maskedFill(toTensor(mask).gt(0), value),
        slow: (p) => map((x, hit) => (hit ? value : x), p!, mask),
        gradients: true,
      });
    }),
} satisfies Partial<Record<keyof Tensor, Check>>;
