/**
 * Exact speculation over depth, one sequence's part: tokens that were started before the one before them was sure.
 *
 * Every token runs all its loops, and every pass moves all tokens under way by one. A token may be read off early: what is likeliest
 * after loop 1 mostly still is after the last. The next token is then started on that opinion, and its loops run beside those that
 * are left of the one before. A deeper loop may think otherwise: then what was started is dropped, and the next token starts anew on
 * the better opinion. What full depth says is final, and nothing else is ever handed out.
 *
 * Exact because a token's loop looks at the same loop of those before it, which are the right ones whenever it is kept, and because
 * the noise of a draw belongs to its place (sampler.ts): an opinion and the final choice differ only as their logits do.
 *
 * Places count from 0, the prompt included: the token at `place` is read off from the one at place − 1. Loops count from 1.
 */
import type { Opinion } from './acceptance.js';
import type { DraftCounts, Speculate, Speculation } from './speculation.js';

/** A token under way that is not sure. */
interface Draft {
  id: number;
  /** The opinion that it was started on. */
  opinion: Opinion;
}

export interface Verdict {
  /** The next token starts. */
  next: boolean;
  /** Those started before are dropped. */
  drops: boolean;
}

export class Drafts {
  readonly settings: Speculate;
  readonly counts: DraftCounts = { drafted: 0, accepted: 0, passes: 0 };
  readonly #speculation: Speculation;
  /** From the first place that is not sure on. */
  #ahead: Draft[] = [];
  /** Where #ahead begins. */
  #sure: number;
  /** By place, what its token was at the loops at which it was read off. */
  readonly #opinions = new Map<number, Opinion[]>();

  /** @param sure tokens that are known */
  constructor(settings: Speculate, speculation: Speculation, sure: number) {
    this.settings = settings;
    this.#speculation = speculation;
    this.#sure = sure;
  }

  get ids(): number[] {
    return this.#ahead.map(({ id }) => id);
  }

  /** Nothing is started ahead at present, nor has been. */
  get rests(): boolean {
    return this.#ahead.length === 0 && this.#speculation.rests(this.settings);
  }

  idAt(place: number): number {
    return this.#ahead[place - this.#sure]!.id;
  }

  /** A pass of the sequence begins. */
  begin(): void {
    this.counts.passes++;
    this.#speculation.counts.passes++;
  }

  /** Whether the token at `place` is to be read off after a loop that is not the last. */
  asks(place: number, loop: number): boolean {
    const started = this.#ahead[place - this.#sure];
    if (started) return this.#speculation.sifts(this.#opinions.get(place)?.at(-1) ?? started.opinion);
    return this.#hasRoom && this.#speculation.asks(loop, this.settings);
  }

  /** What to do about an opinion. @param mayStart a token of this id has its place in the text, and others after it */
  hear(place: number, opinion: Opinion, mayStart: boolean): Verdict {
    const heard = this.#opinions.get(place);
    if (heard) heard.push(opinion);
    else this.#opinions.set(place, [opinion]);
    const started = this.#ahead[place - this.#sure];
    if (started?.id === opinion.id) return { next: false, drops: false };
    if (started) this.#dropFrom(place);
    const next = mayStart && this.#hasRoom && this.#speculation.starts(opinion, this.settings);
    if (next) {
      this.#ahead.push({ id: opinion.id, opinion });
      this.#count('drafted');
    }
    return { next, drops: started !== undefined };
  }

  /**
   * The token at the first unsure place is known.
   * @returns beside what to do the loop that a token which is kept was started after
   */
  settle(place: number, id: number): Verdict & { drafted: number | null } {
    const heard = this.#opinions.get(place);
    if (heard) {
      for (const opinion of heard) this.#speculation.acceptance.record(opinion, opinion.id === id);
      this.#opinions.delete(place);
    }
    const started = this.#ahead[0];
    const isKept = started?.id === id;
    if (started && !isKept) this.#dropFrom(place);
    this.#sure = place + 1;
    if (!isKept) return { next: true, drops: started !== undefined, drafted: null };
    this.#ahead.shift();
    this.#count('accepted');
    return { next: false, drops: false, drafted: started.opinion.loop };
  }

  get #hasRoom(): boolean {
    return this.#ahead.length < (this.settings.maxDraft ?? Number.POSITIVE_INFINITY);
  }

  #dropFrom(place: number): void {
    const dropped = this.#ahead.splice(place - this.#sure);
    for (let after = 1; after <= dropped.length; after++) this.#opinions.delete(place + after);
  }

  #count(what: keyof DraftCounts): void {
    this.counts[what]++;
    this.#speculation.counts[what]++;
  }
}
