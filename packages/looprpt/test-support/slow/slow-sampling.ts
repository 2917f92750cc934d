/**
 * Sampling by its definition, in the plainest form, for tests: a pure function of logits, settings, the repetition penalty's history
 * and the noise of the place. Presence and frequency penalties are the caller's.
 */
import { Rng } from 'looprpt/internal/base/rng.js';
import type { Sampling } from 'looprpt/internal/decode/sampling.js';

export type SlowSampling = Omit<Sampling, 'presencePenalty' | 'frequencyPenalty'>;

/** Whether the choice is the arg-max of the logits as they are. */
export function isPlainGreedy({ temperature, topK, repetitionPenalty }: SlowSampling): boolean {
  return (temperature === 0 || topK === 1) && repetitionPenalty === 1;
}

/** Gumbel noise of every id for token `place` of a sequence, prompt included. */
export function noiseOf(seed: number, place: number, vocabulary: number): number[] {
  return noiseOfKey(Rng.fromSeed(seed).fold(place), vocabulary);
}

/** From one number of the stream for each id. */
export function noiseOfKey(stream: Rng, vocabulary: number): number[] {
  return Array.from({ length: vocabulary }, () => -Math.log(-Math.log1p(-(stream.uint32() + 0.5) / 2 ** 32)));
}

export interface Sampled {
  id: number;
  /** By how much it beats the next one. */
  margin: number;
}

/**
 * @param logitsV float32, one per id; not changed
 * @param seen ids of prompt and text so far, for the repetition penalty
 * @param noise one number per id
 * @returns the id with the largest logit / temperature + noise that may be drawn
 */
export function sample(
  logitsV: Float32Array,
  sampling: SlowSampling,
  seen: Iterable<number>,
  noise: readonly number[],
): Sampled {
  const { temperature, topK } = sampling;
  const penalised = penalise(logitsV, seen, sampling.repetitionPenalty);
  if (temperature === 0 || topK === 1) return largestOf(Array.from(penalised, (logit, id) => [id, logit]));
  const { ids } = candidates(penalised, sampling);
  return largestOf(ids.map((id) => [id, penalised[id]! / temperature + noise[id]!]));
}

/** The same without its margin. */
export function sampleToken(...args: Parameters<typeof sample>): number {
  return sample(...args).id;
}

/** Of logits that are no numbers nothing may be left. */
function largestOf(values: readonly (readonly [id: number, value: number])[]): Sampled {
  const sorted = [...values].sort(([a, x], [b, y]) => y - x || a - b);
  const [[id, first] = [0, Number.NaN], [, second] = [0, Number.NEGATIVE_INFINITY]] = sorted;
  return { id, margin: first - second };
}

/**
 * The ids that may be drawn, and their weights relative to the likeliest one's; in order of likelihood where anything is
 * cut, else of id.
 */
export function candidates(logitsV: Float32Array, sampling: SlowSampling): { ids: number[]; weights: number[] } {
  const { temperature, topK, topP, minP } = sampling;
  const V = logitsV.length;
  const largest = logitsV[argmax(logitsV)]!;
  const weightOf = (logit: number): number => Math.exp((logit - largest) / temperature);
  let ids = Array.from(logitsV.keys());
  if (topK > 0 || topP < 1 || minP > 0) {
    // A typed array sorts many times faster than ids by a comparison, so it says how many ids are needed.
    const descending = logitsV.toSorted().reverse();
    let count = topK > 0 ? Math.min(topK, V) : V;
    if (topP < 1) count = nucleusSize(descending.subarray(0, count).map(weightOf), topP);
    while (weightOf(descending[count - 1]!) < minP) count--;
    const smallest = descending[count - 1]!;
    ids = ids.filter((id) => logitsV[id]! >= smallest);
    ids = ids.sort((a, b) => logitsV[b]! - logitsV[a]! || a - b).slice(0, count);
  }
  return { ids, weights: ids.map((id) => weightOf(logitsV[id]!)) };
}

/** How many of these descending weights together reach the share `topP` of their sum. */
function nucleusSize(weights: Float32Array, topP: number): number {
  const enough = topP * weights.reduce((sum, weight) => sum + weight, 0);
  let mass = 0;
  let count = 0;
  while (count < weights.length && mass < enough) mass += weights[count++]!;
  return count;
}

export function penalise(logitsV: Float32Array, seen: Iterable<number>, penalty: number): Float32Array {
  if (penalty === 1) return logitsV;
  const changed = logitsV.slice();
  for (const id of new Set(seen)) changed[id] = logitsV[id]! > 0 ? logitsV[id]! / penalty : logitsV[id]! * penalty;
  return changed;
}

function argmax(logitsV: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logitsV.length; id++) if (logitsV[id]! > logitsV[best]!) best = id;
  return best;
}
