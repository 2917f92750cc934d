/**
 * Tokens by difficulty, as a reference model sees it: its entropy at full depth on the same tokens. The reference is the
 * base, so that all models are judged on the same tokens.
 */
import assert from 'node:assert/strict';
import { BUCKETS, type Bucket } from './result.js';
import { selectTokens, type TokenTable } from './token-table.js';

/** Nats: entropy ≤ the first is easy, ≤ the second is medium, above is hard. */
export type Thresholds = [number, number];

/** The reference's entropy of every token after its last loop. */
export function difficultyOf(reference: TokenTable): Float32Array {
  return reference.entropy.at(-1)!;
}

/** Entropies that cut the tokens into thirds; of equal ones at a cut all are on its easier side. */
export function tercileThresholds(entropy: Float32Array): Thresholds {
  assert(entropy.length > 0);
  const sorted = entropy.toSorted();
  const cut = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1]!;
  return [cut(1 / 3), cut(2 / 3)];
}

/** @param entropy the reference's, of the same tokens */
export function splitByDifficulty(
  table: TokenTable,
  entropy: Float32Array,
  [easy, medium]: Thresholds,
): Record<Bucket, TokenTable> {
  assert.equal(entropy.length, table.tokens, 'the reference was evaluated on other tokens');
  const indices: Record<Bucket, number[]> = { easy: [], medium: [], hard: [] };
  entropy.forEach((value, n) => {
    indices[value <= easy ? 'easy' : value <= medium ? 'medium' : 'hard'].push(n);
  });
  return Object.fromEntries(BUCKETS.map((bucket) => [bucket, selectTokens(table, indices[bucket])])) as Record<
    Bucket,
    TokenTable
  >;
}
