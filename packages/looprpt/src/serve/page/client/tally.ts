/** What a stream of tokens took, counted as they arrive: exits after each loop, their mean, tokens a second. */

export class Tally {
  /** Entry k − 1: tokens that left after loop k of K. */
  readonly exits: number[];
  #tokens = 0;
  #loops = 0;
  #first: number | null = null;
  #firstTokens = 0;
  #last = 0;

  /** @param loops the model's loops, K */
  constructor(loops: number) {
    this.exits = new Array<number>(loops).fill(0);
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** Mean loops of a token; null before the first. */
  get meanLoops(): number | null {
    return this.#tokens === 0 ? null : this.#loops / this.#tokens;
  }

  /** Share of all tokens' loops that were not run, 0 to 1; null before the first token. */
  get saved(): number | null {
    return this.meanLoops === null ? null : 1 - this.meanLoops / this.exits.length;
  }

  /** Of what came after the first arrival, so that the prompt's time does not count; null before there is any. */
  get tokensPerSecond(): number | null {
    if (this.#first === null || this.#last === this.#first) return null;
    return ((this.#tokens - this.#firstTokens) * 1000) / (this.#last - this.#first);
  }

  /** Takes the loops of tokens that arrived together. @param now milliseconds of any steady clock */
  add(loops: readonly number[], now: number): void {
    if (loops.length === 0) return;
    for (const loop of loops) {
      this.exits[loop - 1]! += 1;
      this.#loops += loop;
    }
    this.#tokens += loops.length;
    if (this.#first === null) {
      this.#first = now;
      this.#firstTokens = this.#tokens;
    }
    this.#last = now;
  }
}
