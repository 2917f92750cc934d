/** Random shapes and tensors for property-based tests. */
import fc from 'fast-check';
import { broadcastShape, count, type Plain } from './plain.js';

interface ShapeLimits {
  minRank?: number;
  maxRank?: number;
  minSize?: number;
  maxSize?: number;
}

export function shapes({
  minRank = 0,
  maxRank = 3,
  minSize = 1,
  maxSize = 3,
}: ShapeLimits = {}): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: minSize, max: maxSize }), { minLength: minRank, maxLength: maxRank });
}

/**
 * A tensor of distinct elements in (-3, 3), or (0.5, 6.5) when `positive`, none nearer than 1/300 to zero or to each other,
 * nor to an element of a tensor made with another `offset`: no ties, and finite differences do not step over kinks.
 */
export function plainOf(
  shape: readonly number[],
  { positive = false, offset = 0 }: { positive?: boolean; offset?: number } = {},
): fc.Arbitrary<Plain> {
  const n = count(shape);
  const limits = positive ? { min: 33, max: 415 } : { min: -192, max: 191 };
  return fc
    .uniqueArray(fc.integer(limits), { minLength: n, maxLength: n })
    .map((integers) => ({ shape, data: integers.map((k) => (k + 0.5 - offset / 4) / 64) }));
}

export function plains(limits: ShapeLimits = {}, options: { positive?: boolean } = {}): fc.Arbitrary<Plain> {
  return shapes(limits).chain((shape) => plainOf(shape, options));
}

/** Two tensors whose shapes broadcast to a common one. */
export function broadcastPairs(
  limits: ShapeLimits = {},
  options: { positive?: boolean } = {},
): fc.Arbitrary<[Plain, Plain]> {
  const part = (shape: number[]): fc.Arbitrary<number[]> =>
    fc
      .tuple(fc.nat(shape.length), fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }))
      .map(([start, squash]) => shape.map((size, dim) => (squash[dim] ? 1 : size)).slice(start));
  return shapes(limits)
    .chain((shape) => fc.tuple(part(shape), part(shape)))
    .filter(([a, b]) => count(broadcastShape(a, b)) <= 27)
    .chain(([a, b]) => fc.tuple(plainOf(a, options), plainOf(b, { ...options, offset: 1 })));
}

/** A dimension of a tensor of that rank, from either end. */
export const dims = (rank: number): fc.Arbitrary<number> => fc.integer({ min: -rank, max: rank - 1 });

/** A tensor with one of its dimensions. */
export function withDim(limits: ShapeLimits = {}): fc.Arbitrary<[Plain, number]> {
  return plains({ minRank: 1, ...limits }).chain((plain) => fc.tuple(fc.constant(plain), dims(plain.shape.length)));
}
