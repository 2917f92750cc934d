/**
 * Tensors in plain numbers: a shape and its elements in row-major order, and a few slow, obvious operations on them.
 * The tests' independent opinion on what libtorch should return; nothing here touches libtorch.
 */

export interface Plain {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
export type Index = readonly number[];

export const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Every index of a shape in row-major order. */
export function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  );
}

export function build(shape: readonly number[], element: (index: Index) => number | boolean): Plain {
  return { shape, data: indices(shape).map((index) => Number(element(index))) };
}

/** The element at an index, which may be that of a larger shape to which this one is broadcast. */
export function at({ shape, data }: Plain, index: Index): number {
  const own = index.slice(index.length - shape.length);
  const position = shape.reduce((sum, size, dim) => sum * size + (size === 1 ? 0 : own[dim]!), 0);
  return data[position]!;
}

export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, dim) => {
    const sizes = shapes.map((shape) => shape[dim - rank + shape.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

/** Elementwise, over broadcast shapes. */
export function map(f: (...values: number[]) => number | boolean, ...inputs: readonly Plain[]): Plain {
  const shape = broadcastShape(...inputs.map((input) => input.shape));
  return build(shape, (index) => f(...inputs.map((input) => at(input, index))));
}

export const positive = (dim: number, rank: number): number => (dim < 0 ? dim + rank : dim);
export const replaced = (index: Index, dim: number, value: number): number[] => index.with(dim, value);

/** The elements along `dim` through an index. */
export function line(plain: Plain, dim: number, index: Index): number[] {
  return Array.from({ length: plain.shape[dim]! }, (_, i) => at(plain, replaced(index, dim, i)));
}

/** Every line along `dim` to another line; all results have the same length. */
export function alongDim(plain: Plain, dim: number, f: (values: number[]) => readonly number[]): Plain {
  const d = positive(dim, plain.shape.length);
  const outer = plain.shape.with(d, 1);
  const lines = new Map(indices(outer).map((index) => [String(index), f(line(plain, d, index))]));
  const length = lines.values().next().value?.length ?? 0;
  return build(plain.shape.with(d, length), (index) => lines.get(String(replaced(index, d, 0)))![index[d]!]!);
}

/** All elements that share an index outside `dims`, to one. */
export function reduceDims(
  plain: Plain,
  dims: readonly number[],
  keepDim: boolean,
  f: (values: number[]) => number,
): Plain {
  const gone = new Set(dims.map((dim) => positive(dim, plain.shape.length)));
  const kept = plain.shape.map((size, dim) => (gone.has(dim) ? 1 : size));
  const groups = new Map<string, number[]>(indices(kept).map((index) => [String(index), []]));
  for (const index of indices(plain.shape))
    groups.get(String(index.map((i, dim) => (gone.has(dim) ? 0 : i))))!.push(at(plain, index));
  const shape = keepDim ? kept : kept.filter((_, dim) => !gone.has(dim));
  return { shape, data: [...groups.values()].map(f) };
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
export const mean = (values: readonly number[]): number => sum(values) / values.length;
