/**
 * Where the parameters' gradients lie in the buckets that are summed over the ranks; pure arithmetic on sizes.
 *
 * Whole: a parameter is one run of its bucket. Sharded over w ranks: a bucket is [w, chunk], row r is rank r's, and each
 * parameter of n elements has c = ⌈n/w⌉ columns, so that rank r's elements of it are [r·c, (r+1)·c). A reduce-scatter of the bucket
 * then gives each rank its own elements of every parameter, and an all-gather of the rows gives them back.
 *
 * Buckets are filled from the last parameter to the first, about the order in which backward ends with them.
 */

/** Where elements [from, from + Π shape) of a flattened parameter lie: at `offset` of the bucket, with these strides. */
export interface PiecePlace {
  from: number;
  offset: number;
  shape: readonly number[];
  strides: readonly number[];
}

export interface ParameterPlace {
  /** Index of the parameter. */
  index: number;
  pieces: readonly PiecePlace[];
  /** First column, and c; of the whole bucket where it is not sharded. */
  column: number;
  columns: number;
}

export interface BucketPlan {
  parameters: readonly ParameterPlace[];
  /** Elements of a row. */
  chunk: number;
  /** w, or 1. */
  rows: number;
}

/** The elements of a flattened parameter of `n` that are rank `rank`'s. */
export function shardOf(n: number, rank: number, size: number): [from: number, to: number] {
  const c = Math.ceil(n / size);
  return [Math.min(rank * c, n), Math.min((rank + 1) * c, n)];
}

/**
 * @param sizes elements of each parameter
 * @param rows w; 1 for whole buckets
 * @param limit elements of a bucket at most, but for a parameter that is larger alone
 */
export function planBuckets(sizes: readonly number[], rows: number, limit: number): BucketPlan[] {
  const groups: number[][] = [];
  let filled = Number.POSITIVE_INFINITY;
  for (let index = sizes.length - 1; index >= 0; index--) {
    if (filled + sizes[index]! > limit) {
      groups.push([]);
      filled = 0;
    }
    groups.at(-1)!.push(index);
    filled += sizes[index]!;
  }
  return groups.map((group) => planBucket(group, sizes, rows));
}

/** One bucket with these parameters. */
export function planBucket(group: readonly number[], sizes: readonly number[], rows: number): BucketPlan {
  const columns = group.map((index) => Math.ceil(sizes[index]! / rows));
  const chunk = columns.reduce((sum, c) => sum + c, 0);
  let column = 0;
  const parameters = group.map((index, i): ParameterPlace => {
    const place = { index, column, columns: columns[i]!, pieces: piecesOf(sizes[index]!, column, columns[i]!, chunk) };
    column += columns[i]!;
    return place;
  });
  return { parameters, chunk, rows };
}

/** The full rows together, and what is left in the row behind them. */
function piecesOf(n: number, column: number, c: number, chunk: number): PiecePlace[] {
  const full = Math.floor(n / c);
  const rest = n - full * c;
  return [
    { from: 0, offset: column, shape: [full, c], strides: [chunk, 1] },
    ...(rest > 0 ? [{ from: full * c, offset: full * chunk + column, shape: [rest], strides: [1] }] : []),
  ];
}
