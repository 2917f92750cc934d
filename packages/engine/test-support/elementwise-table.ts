/** Checks of `Tensor`'s elementwise methods, by name, for tensor.test.ts. */

import { scope, Tensor, tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { expect } from 'vitest';
import { broadcastPairs, plains } from './arbitrary.js';
import { compare, expectPlain, forAll, toTensor } from './compare.js';
import { at, build, indices, map, type Plain } from './plain.js';

type Check = () => void;
type Unary = { [M in keyof Tensor]: Tensor[M] extends () => Tensor ? M : never }[keyof Tensor];
type Binary = { [M in keyof Tensor]: Tensor[M] extends (other: Tensor) => Tensor ? M : never }[keyof Tensor];
type BinaryOrScalar = {
  [M in keyof Tensor]: Tensor[M] extends (other: Tensor | number) => Tensor ? M : never;
}[keyof Tensor];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

interface Behaviour {
  gradients?: boolean;
  positive?: boolean;
}

function unary(method: Unary, f: (x: number) => number | boolean, behaviour: Behaviour = {}): Check {
  const { gradients = true, positive = false } = behaviour;
  return () =>
    forAll(plains({ minSize: 0 }, { positive }), (x) =>
      compare([x], { ours: (t) => t![method](), slow: (p) => map(f, p!), gradients }),
    );
}

/** Without gradients to compare, whole numbers: few different ones, so that many elements are equal. */
const operandOf = (x: Plain, gradients: boolean): Plain => (gradients ? x : map(Math.round, x));

function binary(method: Binary, f: (x: number, y: number) => number | boolean, behaviour: Behaviour = {}): Check {
  const { gradients = true, positive = false } = behaviour;
  return () =>
    forAll(broadcastPairs({ minSize: 0 }, { positive }), (pair) =>
      compare(
        pair.map((x) => operandOf(x, gradients)),
        { ours: (a, b) => a![method](b!), slow: (a, b) => map(f, a!, b!), gradients },
      ),
    );
}

const scalars = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(0.3, -1.7, 2.25)).filter((s) => s !== 0);

function binaryOrScalar(
  method: BinaryOrScalar,
  f: (x: number, y: number) => number | boolean,
  behaviour: Behaviour = {},
): Check {
  const { gradients = true } = behaviour;
  const tensors = binary(method, f, behaviour);
  return () => {
    tensors();
    forAll(fc.tuple(plains({ minRank: 1, maxSize: 4 }), scalars), ([x, scalar]) =>
      compare([operandOf(x, gradients)], {
        ours: (t) => t![method](scalar),
        slow: (p) => map((value) => f(value, scalar), p!),
        gradients,
      }),
    );
  };
}

/** A method that overwrites its tensor: the tensor itself comes back, and has the elements that `f` says. */
function inPlace(apply: (self: Tensor, other: Tensor) => Tensor, f: (x: number, y: number) => number): Check {
  return () =>
    forAll(broadcastPairs(), ([a, b]) => {
      const wide = map((x, y) => x + 3 * y, a, b);
      scope(() => {
        const self = toTensor(wide);
        expect(apply(self, toTensor(b))).toBe(self);
        expectPlain(self, map(f, wide, b));
      });
    });
}

const none: Behaviour = { gradients: false };

export const elementwise = {
  add: binaryOrScalar('add', (x, y) => x + y),
  sub: binaryOrScalar('sub', (x, y) => x - y),
  mul: binaryOrScalar('mul', (x, y) => x * y),
  div: binaryOrScalar('div', (x, y) => x / y),
  rsub: () =>
    forAll(fc.tuple(plains(), scalars), ([x, scalar]) =>
      compare([x], { ours: (t) => t!.rsub(scalar), slow: (p) => map((v) => scalar - v, p!), gradients: true }),
    ),
  pow: () =>
    forAll(fc.tuple(plains({}, { positive: true }), scalars), ([x, exponent]) =>
      compare([x], { ours: (t) => t!.pow(exponent), slow: (p) => map((v) => v ** exponent, p!), gradients: true }),
    ),
  neg: unary('neg', (x) => -x),
  exp: unary('exp', Math.exp),
  log: unary('log', Math.log, { positive: true }),
  sqrt: unary('sqrt', Math.sqrt, { positive: true }),
  rsqrt: unary('rsqrt', (x) => 1 / Math.sqrt(x), { positive: true }),
  abs: unary('abs', Math.abs),
  cos: unary('cos', Math.cos),
  sin: unary('sin', Math.sin),
  sigmoid: unary('sigmoid', sigmoid),
  logSigmoid: unary('logSigmoid', (x) => Math.log(sigmoid(x))),
  silu: unary('silu', (x) => x * sigmoid(x)),
  relu: unary('relu', (x) => Math.max(x, 0)),
  square: unary('square', (x) => x * x),
  clone: unary('clone', (x) => x),
  contiguous: unary('contiguous', (x) => x),
  detach: () => {
    unary('detach', (x) => x, none)();
    scope(() => {
      const x = tensor([1, 2]);
      x.requiresGrad = true;
      expect(x.mul(2).detach().requiresGrad).toBe(false);
    });
  },
  logicalNot: () => {
    unary('logicalNot', (x) => x === 0, none)();
    scope(() => expect(tensor([0, 2, -1]).logicalNot().toArray()).toEqual([1, 0, 0]));
  },
  isfinite: () =>
    scope(() =>
      expect(
        tensor([0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e38]).isfinite().toArray(),
      ).toEqual([1, 0, 0, 0, 1]),
    ),
  eq: binaryOrScalar('eq', (x, y) => x === y, none),
  ne: binaryOrScalar('ne', (x, y) => x !== y, none),
  lt: binaryOrScalar('lt', (x, y) => x < y, none),
  le: binaryOrScalar('le', (x, y) => x <= y, none),
  gt: binaryOrScalar('gt', (x, y) => x > y, none),
  ge: binaryOrScalar('ge', (x, y) => x >= y, none),
  maximum: binary('maximum', Math.max),
  minimum: binary('minimum', Math.min),
  logicalAnd: () => truthTable((a, b) => a.logicalAnd(b), [0, 0, 0, 1]),
  logicalOr: () => truthTable((a, b) => a.logicalOr(b), [0, 1, 1, 1]),
  matmul: () =>
    forAll(
      fc.tuple(
        broadcastPairs({ maxRank: 1 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 3, maxLength: 3 }),
      ),
      ([[a, b], [n, k, m]]) => {
        // batches of a and b broadcast; their elements are spread over the matrices by an outer product
        const left = build([...a.shape, n!, k!], (i) => at(a, i.slice(0, -2)) + 0.3 * i.at(-2)! - 0.7 * i.at(-1)!);
        const right = build([...b.shape, k!, m!], (i) => at(b, i.slice(0, -2)) * (i.at(-1)! + 1) - 0.4 * i.at(-2)!);
        compare([left, right], {
          ours: (x, y) => x!.matmul(y!),
          slow: (x, y) => {
            const batch = map((p) => p, a, b).shape;
            return build([...batch, n!, m!], (index) =>
              indices([k!]).reduce((total, [j]) => {
                const [row, column] = index.slice(-2);
                const outer = index.slice(0, -2);
                return (
                  total +
                  at(x!, [...padded(outer, a.shape), row!, j!]) * at(y!, [...padded(outer, b.shape), j!, column!])
                );
              }, 0),
            );
          },
          gradients: true,
        });
      },
    ),
  clamp: () => {
    const limits = fc.constantFrom([-1, 1], [null, 0.5], [-0.5, null], [0, 0.25]) as fc.Arbitrary<
      [number | null, number | null]
    >;
    forAll(fc.tuple(plains(), limits), ([x, [min, max]]) =>
      compare([x], {
        ours: (t) => t!.clamp(min, max),
        slow: (p) => map((v) => Math.min(Math.max(v, min ?? -9), max ?? 9), p!),
        gradients: true,
      }),
    );
  },
  add_: () => {
    inPlace(
      (self, other) => self.add_(other),
      (x, y) => x + y,
    )();
    inPlace(
      (self, other) => self.add_(other, -0.5),
      (x, y) => x - 0.5 * y,
    )();
    inPlace(
      (self) => self.add_(2),
      (x) => x + 2,
    )();
    inPlace(
      (self) => self.add_(2, 3),
      (x) => x + 6,
    )();
  },
  mul_: () => {
    inPlace(
      (self, other) => self.mul_(other),
      (x, y) => x * y,
    )();
    inPlace(
      (self) => self.mul_(-1.5),
      (x) => -1.5 * x,
    )();
  },
  div_: inPlace(
    (self, other) => self.div_(other),
    (x, y) => x / y,
  ),
  clamp_: () => {
    inPlace(
      (self) => self.clamp_(-1, 1),
      (x) => Math.min(Math.max(x, -1), 1),
    )();
    inPlace(
      (self) => self.clamp_(null, 0.5),
      (x) => Math.min(x, 0.5),
    )();
    inPlace(
      (self) => self.clamp_(0),
      (x) => Math.max(x, 0),
    )();
  },
  copy_: inPlace(
    (self, other) => self.copy_(other),
    (_, y) => y,
  ),
  fill_: inPlace(
    (self) => self.fill_(0.25),
    () => 0.25,
  ),
  zero_: inPlace(
    (self) => self.zero_(),
    () => 0,
  ),
} satisfies Partial<Record<keyof Tensor, Check>>;

/** The last dimensions of a broadcast index that a shape has. */
const padded = (index: readonly number[], shape: readonly number[]): number[] =>
  index.slice(index.length - shape.length).map((i, dim) => (shape[dim] === 1 ? 0 : i));

function truthTable(apply: (a: Tensor, b: Tensor) => Tensor, expected: number[]): void {
  scope(() => {
    const result = apply(tensor([0, 0, 3, 3]), tensor([false, true, false, true], { dtype: 'bool' }));
    expect(result.dtype).toBe('bool');
    expect(result.toArray()).toEqual(expected);
    expect(result).toBeInstanceOf(Tensor);
  });
}
