/** Comparison of nested numbers with one tolerance, and a message that says where they differ most. */
import assert from 'node:assert/strict';

export type NestedNumbers = number | readonly NestedNumbers[];

function flat(values: NestedNumbers, where = ''): [where: string, value: number][] {
  if (typeof values === 'number') return [[where, values]];
  return values.flatMap((value, i) => flat(value, `${where}[${i}]`));
}

/** @throws AssertionError unless both have the same shape and |actual − expected| ≤ tolerance·(1 + |expected|) throughout */
export function assertClose(actual: NestedNumbers, expected: NestedNumbers, tolerance: number, what = 'value'): void {
  const [ours, theirs] = [flat(actual), flat(expected)];
  assert.deepEqual(
    ours.map(([where]) => where),
    theirs.map(([where]) => where),
    `${what}: the shapes differ`,
  );
  const errors = ours.map(([, value], i) => Math.abs(value - theirs[i]![1]) / (1 + Math.abs(theirs[i]![1])));
  // A NaN is no small error.
  const worst = errors.reduce((most, error, i) => (error <= errors[most]! ? most : i), 0);
  if (errors.length === 0 || errors[worst]! <= tolerance) return;
  assert.fail(`${what}${ours[worst]![0]}: ${ours[worst]![1]}, expected ${theirs[worst]![1]}`);
}

/** [a][b] → [b][a] */
export function transposed<T>(rows: readonly (readonly T[])[]): T[][] {
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]!));
}
