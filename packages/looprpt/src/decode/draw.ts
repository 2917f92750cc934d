/**
 * Cut and draw, for vocabularies of tens of thousands and many sequences a step: the exponentials come from outside, where they are
 * made many at a time, and no list of all ids is made or sorted. The tests hold it against the definition; weights are rounded to
 * float32 here, so where two ids are as good as equal the two may differ.
 */
import assert from 'node:assert/strict';
import { threefry2x32 } from '../base/rng.js';
import type { Sampling } from './sampling.js';

/** What is left out before the draw. */
export type Cuts = Pick<Sampling, 'topK' | 'topP' | 'minP'>;

/** What may be chosen: logits of all ids, and numbers proportional to exp(logit / temperature). */
export interface Weighed {
  logitsV: Float32Array;
  weightsV: Float32Array;
}

/** An id that was chosen, and by how much it beats the next one: of logit / temperature + noise, or of logits where nothing is drawn. */
export interface Drawn {
  id: number;
  /** Infinite where there was no other, NaN where there was nothing to choose from. */
  margin: number;
}

/**
 * The id with the largest logit / temperature + Gumbel noise among those that the cuts leave. The noise of id v comes from word v
 * of the stream that the key names: the arg max of weight / E with E = −log(1 − (word + ½) / 2³²).
 */
export function drawToken(weighed: Weighed, cuts: Cuts, key: Key): Drawn {
  const { topK, topP, minP } = cuts;
  const isCut = topK > 0 || topP < 1 || minP > 0;
  return isCut ? race(weighed.weightsV, cut(weighed, cuts), key) : race(weighed.weightsV, weighed.weightsV.keys(), key);
}

/** Two 32-bit words. */
export type Key = readonly [number, number];

/** No E is smaller: an id of so little weight beside the best so far cannot win. */
const LEAST = 2 ** -33;

/** Of weights that are no numbers nothing wins; what becomes of such a token its log-probability says. */
function race(weightsV: Float32Array, ids: Iterable<number>, [low, high]: Key): Drawn {
  const best = new Best();
  let counter = -1;
  let words: [number, number] = [0, 0];
  for (const id of ids) {
    const weight = weightsV[id]!;
    if (!(weight > best.second * LEAST)) continue;
    if (counter !== id >> 1) {
      counter = id >> 1;
      words = threefry2x32(low, high, counter, 0);
    }
    const uniform = (words[id & 1]! + 0.5) / 2 ** 32;
    best.take(id, weight / -Math.log1p(-uniform));
  }
  return { id: best.id, margin: Math.log(best.first / best.second) };
}

/** The two largest of what is taken; of equals the lowest id. */
class Best {
  id = 0;
  first = 0;
  second = 0;

  take(id: number, value: number): void {
    if (value > this.first || (value === this.first && id < this.id)) {
      this.second = this.first;
      this.first = value;
      this.id = id;
    } else if (value > this.second) this.second = value;
  }
}

/** Weights of logits that were changed for one sequence alone. */
export function weigh(logitsV: Float32Array, temperature: number): Weighed {
  const largest = maximum(logitsV);
  return { logitsV, weightsV: logitsV.map((logit) => Math.exp((logit - largest) / temperature)) };
}

/** The likeliest id, of equals the lowest. */
export function likeliest(logitsV: Float32Array): Drawn {
  let best = 0;
  let second = Number.NEGATIVE_INFINITY;
  for (let id = 1; id < logitsV.length; id++) {
    const logit = logitsV[id]!;
    if (logit > logitsV[best]!) {
      second = logitsV[best]!;
      best = id;
    } else if (logit > second) second = logit;
  }
  return { id: best, margin: logitsV[best]! - second };
}

/**
 * The ids that the cuts leave, likeliest first, of equals the lowest id. Only ids near the likeliest are sorted: down to a share
 * of its weight that shrinks until all that is left lies above it.
 */
function cut({ logitsV, weightsV }: Weighed, { topK, topP, minP }: Cuts): number[] {
  const V = logitsV.length;
  const largest = maximum(weightsV);
  const sum = (ids: Iterable<number>): number => {
    let total = 0;
    for (const id of ids) total += weightsV[id]!;
    return total;
  };
  const all = topK === 0 && topP < 1 ? weightsV.reduce((total, weight) => total + weight, 0) : 0;
  for (let share = 1e-2; ; share **= 2) {
    const ids = idsFrom(weightsV, share * largest);
    // A share of nothing leaves out only what is no number.
    const isAll = ids.length === V || share === 0;
    if (!isAll && ids.length < topK) continue;
    sortByLogit(ids, logitsV);
    if (topK > 0) ids.splice(topK);
    const enough = topP < 1 ? topP * (topK > 0 ? sum(ids) : all) : Number.POSITIVE_INFINITY;
    let mass = 0;
    const last = ids.findIndex((id) => {
      mass += weightsV[id]!;
      return mass >= enough;
    });
    if (last >= 0) ids.splice(last + 1);
    else if (!isAll && topK === 0 && share > minP) continue;
    while (ids.length > 0 && weightsV[ids.at(-1)!]! < minP * largest) ids.pop();
    return ids;
  }
}

const IDS = 2 ** 21;

/**
 * The likeliest first, of equals the lowest id. Typed arrays sort many times faster without a comparison, so an id and its
 * logit, whose bits are put in order, become one number of 53 bits.
 */
function sortByLogit(ids: number[], logitsV: Float32Array): void {
  assert(logitsV.length <= IDS);
  const bitsV = new Uint32Array(logitsV.buffer, logitsV.byteOffset, logitsV.length);
  const keys = new Float64Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    const bits = logitsV[id] === 0 ? 0 : bitsV[id]!;
    const ordered = bits >>> 31 ? ~bits >>> 0 : bits + 2 ** 31;
    keys[i] = ordered * IDS + (IDS - 1 - id);
  }
  keys.sort();
  const last = ids.length - 1;
  for (let i = 0; i <= last; i++) ids[last - i] = IDS - 1 - (keys[i]! % IDS);
}

function idsFrom(weightsV: Float32Array, smallest: number): number[] {
  const ids: number[] = [];
  for (let id = 0; id < weightsV.length; id++) if (weightsV[id]! >= smallest) ids.push(id);
  return ids;
}

function maximum(values: Float32Array): number {
  let largest = values[0]!;
  for (let i = 1; i < values.length; i++) if (values[i]! > largest) largest = values[i]!;
  return largest;
}
