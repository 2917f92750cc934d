/**
 * The other processes of a data-parallel run, as far as losses and measurements know of them: numbers that are added up over all.
 * Every rank makes the same calls in the same order.
 */
export interface Peers {
  rank: number;
  size: number;
  /** Sums over the ranks, in float64; the same on all. */
  sums(values: readonly number[]): number[];
  /** Whether any rank says so. */
  any(flag: boolean): boolean;
  /** Every rank's value, by rank. */
  exchange<T>(value: T): T[];
}

/** A run in one process. */
export const ALONE: Peers = {
  rank: 0,
  size: 1,
  sums: (values) => [...values],
  any: (flag) => flag,
  exchange: (value) => [value],
};
