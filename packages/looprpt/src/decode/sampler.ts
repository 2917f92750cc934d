/**
 * How one sequence chooses its tokens: adjust the logits by bias and penalties, cut what is unlikely, take the largest of what is
 * left with the noise of the place.
 *
 * A pure function of logits and of the tokens before: the noise of a token has the key (seed, number of the token in its sequence,
 * prompt included), nothing is counted from call to call. So a place can be read out at several loops, and the same logits give
 * the same token. Where nothing is adjusted or cut the draw is made where the logits lie, many rows at once (token-choice.ts, by a
 * kernel on the CPU); this is the way for all other rows, and `drawsPlainly` says which.
 */
import assert from 'node:assert/strict';
import { Rng } from '../base/rng.js';
import { type Drawn, drawToken, type Key, likeliest, type Weighed, weigh } from './draw.js';
import type { Sampling } from './sampling.js';

export interface SamplerOptions {
  /** Of the noise. */
  seed: number;
  /** Tokens of the prompt, which do not count as text. */
  promptTokens: number;
  /** Added to the logits of these ids; −Infinity forbids one. */
  logitBias?: ReadonlyMap<number, number> | undefined;
  /** Ids that are forbidden before so many tokens are made; default none. */
  late?: { ids: readonly number[]; from: number };
}

const NO_KEY: Key = [0, 0];

export class Sampler {
  readonly #sampling: Sampling;
  readonly #bias: ReadonlyMap<number, number>;
  readonly #late: { ids: readonly number[]; from: number };
  readonly #promptTokens: number;
  readonly #rng: Rng;

  constructor(sampling: Sampling, options: SamplerOptions) {
    const { seed, promptTokens, logitBias = new Map(), late = { ids: [], from: 0 } } = options;
    this.#sampling = sampling;
    this.#bias = logitBias;
    this.#late = late;
    this.#promptTokens = promptTokens;
    this.#rng = Rng.fromSeed(seed);
  }

  /** What divides the logits before the exponential; 1 where nothing is drawn. */
  get temperature(): number {
    return this.#sampling.temperature || 1;
  }

  /** Whether token `place` is the arg-max of the logits as they are, or drawn from all of them by the temperature alone. */
  drawsPlainly(place: number): boolean {
    const { topK, topP, minP } = this.#sampling;
    return !this.#adjusts(place) && (this.#isGreedy || (topK === 0 && topP === 1 && minP === 0));
  }

  /** How token `place` is drawn, if plainly. */
  plainDraw(place: number): { temperature: number; key: Key } {
    assert(this.drawsPlainly(place));
    return this.#isGreedy
      ? { temperature: 0, key: NO_KEY }
      : { temperature: this.#sampling.temperature, key: this.#keyOf(place) };
  }

  /** Draws the token after these; the logits and weights of all ids are not changed. @param ids prompt and text before it */
  draw(weighed: Weighed, ids: readonly number[]): Drawn {
    const place = ids.length;
    const logitsV = this.#adjusts(place) ? this.#adjust(weighed.logitsV, ids) : weighed.logitsV;
    if (this.#isGreedy) return likeliest(logitsV);
    const adjusted = logitsV === weighed.logitsV ? weighed : weigh(logitsV, this.#sampling.temperature);
    return drawToken(adjusted, this.#sampling, this.#keyOf(place));
  }

  #keyOf(place: number): Key {
    return this.#rng.fold(place).key;
  }

  get #isGreedy(): boolean {
    return this.#sampling.temperature === 0 || this.#sampling.topK === 1;
  }

  #adjusts(place: number): boolean {
    const { presencePenalty, frequencyPenalty, repetitionPenalty } = this.#sampling;
    const isPenalised = presencePenalty !== 0 || frequencyPenalty !== 0 || repetitionPenalty !== 1;
    return isPenalised || this.#bias.size > 0 || this.#forbidden(place).length > 0;
  }

  #forbidden(place: number): readonly number[] {
    return place - this.#promptTokens < this.#late.from ? this.#late.ids : [];
  }

  #adjust(logitsV: Float32Array, ids: readonly number[]): Float32Array {
    const { presencePenalty, frequencyPenalty, repetitionPenalty } = this.#sampling;
    const changed = logitsV.slice();
    for (const [id, bias] of this.#bias) changed[id]! += bias;
    if (presencePenalty !== 0 || frequencyPenalty !== 0)
      for (const [id, count] of countsOf(ids, this.#promptTokens))
        changed[id]! -= presencePenalty + count * frequencyPenalty;
    if (repetitionPenalty !== 1)
      for (const id of new Set(ids)) {
        const logit = changed[id]!;
        changed[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    for (const id of this.#forbidden(ids.length)) changed[id] = Number.NEGATIVE_INFINITY;
    return changed;
  }
}

/** How often the text has an id. */
function countsOf(ids: readonly number[], from: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (let place = from; place < ids.length; place++) counts.set(ids[place]!, 1 + (counts.get(ids[place]!) ?? 0));
  return counts;
}
