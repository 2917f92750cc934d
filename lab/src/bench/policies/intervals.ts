/**
 * Means over tokens, with intervals by drawing whole documents with replacement: a document's tokens are not independent. Two ways of
 * decoding are compared on the same draws.
 */
import { Rng } from 'looprpt/internal/base/rng.js';
import type { DocumentSums } from './measure.js';

export interface Means {
  accuracy: number;
  crossEntropy: number;
  meanLoops: number;
}

/** A value with its 95 % interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

const RESAMPLES = 1000;

export function meansOf(documents: readonly DocumentSums[]): Means {
  const sum = (of: keyof DocumentSums): number => documents.reduce((total, document) => total + document[of], 0);
  const tokens = sum('tokens');
  return { accuracy: sum('correct') / tokens, crossEntropy: sum('loss') / tokens, meanLoops: sum('loops') / tokens };
}

/** a − b, document by document the same text. */
export function difference(
  of: keyof Means,
  a: readonly DocumentSums[],
  b: readonly DocumentSums[],
  seed = 0,
): Estimate {
  const rng = Rng.fromSeed(seed);
  const drawn = Array.from({ length: RESAMPLES }, () => {
    const which = a.map(() => rng.below(a.length));
    const [meanA, meanB] = [a, b].map((documents) => meansOf(which.map((d) => documents[d]!))[of]);
    return meanA! - meanB!;
  }).sort((x, y) => x - y);
  const at = (share: number): number => drawn[Math.round(share * (RESAMPLES - 1))]!;
  return { value: meansOf(a)[of] - meansOf(b)[of], low: at(0.025), high: at(0.975) };
}
