/**
 * How one sequence chooses its tokens: adjust the logits by bias and penalties, cut what is unlikely, draw by one random number.
 *
 * Where nothing is adjusted or cut the draw is made where the logits lie, many rows at once (read-out.ts, by a kernel on the CPU);
 * this is the way for all other rows, and `plainDraw` says which. The random stream is the sequence's own.
 */
import assert from 'node:assert/strict';
import { Rng } from '../base/rng.js';
import { argmax, drawToken, type Weighed, weigh } from './draw.js';
import type { Sampling } from './sampling.js';

export interface SamplerOptions {
  /** Of the random stream. */
  seed: number;
  /** Added to the logits of these ids; −Infinity forbids one. */
  logitBias?: ReadonlyMap<number, number> | undefined;
  /** Ids that are forbidden before so many tokens are made; default none. */
  late?: { ids: readonly number[]; from: number };
}

export class Sampler {
  readonly #sampling: Sampling;
  readonly #bias: ReadonlyMap<number, number>;
  readonly #late: { ids: readonly number[]; from: number };
  readonly #rng: Rng;
  /** How often the text has an id. */
  readonly #counts = new Map<number, number>();
  #made = 0;

  constructor(sampling: Sampling, { seed, logitBias = new Map(), late = { ids: [], from: 0 } }: SamplerOptions) {
    this.#sampling = sampling;
    this.#bias = logitBias;
    this.#late = late;
    this.#rng = Rng.fromSeed(seed);
  }

  /** What divides the logits before the exponential; 1 where nothing is drawn. */
  get temperature(): number {
    return this.#sampling.temperature || 1;
  }

  /** Whether the next token is the arg-max of the logits as they are, or drawn from all of them by the temperature alone. */
  get drawsPlainly(): boolean {
    const { topK, topP, minP } = this.#sampling;
    return !this.#adjusts && (this.#isGreedy || (topK === 0 && topP === 1 && minP === 0));
  }

  /** How the next token is drawn, if plainly; takes a random number from the stream unless the likeliest is taken. */
  plainDraw(): { temperature: number; uniform: number } {
    assert(this.drawsPlainly);
    if (this.#isGreedy) return { temperature: 0, uniform: 0 };
    return { temperature: this.#sampling.temperature, uniform: this.#uniform() };
  }

  /** Draws the next id; the logits and weights of all ids are not changed. @param ids prompt and text so far */
  draw(weighed: Weighed, ids: readonly number[]): number {
    const uniform = this.#uniform();
    const logitsV = this.#adjusts ? this.#adjust(weighed.logitsV, ids) : weighed.logitsV;
    if (this.#isGreedy) return argmax(logitsV);
    const adjusted = logitsV === weighed.logitsV ? weighed : weigh(logitsV, this.#sampling.temperature);
    return drawToken(adjusted, this.#sampling, uniform);
  }

  /** An id became part of the text. */
  count(id: number): void {
    this.#made++;
    this.#counts.set(id, 1 + (this.#counts.get(id) ?? 0));
  }

  get #isGreedy(): boolean {
    return this.#sampling.temperature === 0 || this.#sampling.topK === 1;
  }

  get #adjusts(): boolean {
    const { presencePenalty, frequencyPenalty, repetitionPenalty } = this.#sampling;
    const isPenalised = presencePenalty !== 0 || frequencyPenalty !== 0 || repetitionPenalty !== 1;
    return isPenalised || this.#bias.size > 0 || this.#forbidden.length > 0;
  }

  get #forbidden(): readonly number[] {
    return this.#made < this.#late.from ? this.#late.ids : [];
  }

  #adjust(logitsV: Float32Array, ids: readonly number[]): Float32Array {
    const { presencePenalty, frequencyPenalty, repetitionPenalty } = this.#sampling;
    const changed = logitsV.slice();
    for (const [id, bias] of this.#bias) changed[id]! += bias;
    for (const [id, count] of this.#counts) changed[id]! -= presencePenalty + count * frequencyPenalty;
    if (repetitionPenalty !== 1)
      for (const id of new Set(ids)) {
        const logit = changed[id]!;
        changed[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    for (const id of this.#forbidden) changed[id] = Number.NEGATIVE_INFINITY;
    return changed;
  }

  #uniform(): number {
    return this.#rng.uint32() / 2 ** 32;
  }
}
