/**
 * Exact speculation over depth, the decisions: whether a token is worth reading off before its last loop, and whether the next one
 * is worth starting on what was read. Whatever is decided here the text is the same; only the time changes.
 *
 * A next token started early saves its sequence one pass if it turns out right; if not, the rows it ran until it was dropped were for
 * nothing. How often an opinion of its kind is right is learned (acceptance.ts), and how sure it has to be is tried out (pace.ts): a
 * pass is shared by all sequences in it, so in a large batch a pass saved is worth little.
 *
 * It knows nothing of tensors or sequences; drafts.ts carries it out.
 */
import { z } from 'zod';
import { Acceptance, type Opinion } from './acceptance.js';
import { Pace } from './pace.js';

export const speculateConfig = z.strictObject({
  draftLoops: z
    .int()
    .min(1)
    .optional()
    .describe('loops after which the next token is started, however unsure (default: as soon as it is likely to pay)'),
  maxDraft: z
    .int()
    .min(1)
    .optional()
    .describe('most tokens started ahead of the last sure one (default: as many as pay)'),
});

/** How a request speculates, checked. */
export type Speculate = z.output<typeof speculateConfig>;

/** What speculation did; tokens and passes. */
export interface DraftCounts {
  /** Tokens started before the one before them was sure. */
  drafted: number;
  /** Those that full depth agreed with. */
  accepted: number;
  /** Passes that the sequence took part in, its prompt's aside. */
  passes: number;
}

/** Every so many opinions one is asked for that does not seem worth it, so that a change is noticed. */
const CURIOSITY = 64;
/** Share of opinions that must be sure enough, so that reading all of them off pays. */
const READING_PAYS = 0.1;
/** A draft that is as likely as this to be right needs no second look before the last loop. */
const SETTLED = 0.9;

export class Speculation {
  readonly acceptance: Acceptance;
  readonly counts: DraftCounts = { drafted: 0, accepted: 0, passes: 0 };
  readonly #pace: Pace;
  #bound = Number.POSITIVE_INFINITY;
  #asked = 0;

  /** @param loops of the model @param clock milliseconds */
  constructor(loops: number, clock: () => number) {
    this.acceptance = new Acceptance(loops);
    this.#pace = new Pace(clock);
  }

  /** A pass begins. @param sequences that decode in it @param counts it reads no prompts, and some of them speculate */
  begin(sequences: number, counts: boolean): void {
    if (counts) this.#bound = this.#pace.begin(sequences);
    else this.#pace.pause();
  }

  /** A pass that counts has ended. @param tokens that became certain in it */
  end(tokens: number): void {
    this.#pace.end(tokens);
  }

  /** There is nothing to do. */
  pause(): void {
    this.#pace.pause();
  }

  /** Whether nothing is started ahead at present. */
  rests({ draftLoops }: Speculate): boolean {
    return draftLoops === undefined && this.#bound > 1;
  }

  /** Whether to read off a token whose next one has not started. @param loop that it has run, not its last */
  asks(loop: number, { draftLoops }: Speculate): boolean {
    if (draftLoops !== undefined) return loop >= draftLoops;
    // The next try brings its own news.
    if (this.rests({ draftLoops })) return false;
    const share = this.acceptance.mean(loop, (probability) => (probability >= this.#bound ? 1 : 0));
    if (share === null || share >= READING_PAYS) return true;
    return ++this.#asked % CURIOSITY === 0;
  }

  /** Whether to start the next token on this opinion. */
  starts(opinion: Opinion, { draftLoops }: Speculate): boolean {
    if (draftLoops !== undefined) return opinion.loop >= draftLoops;
    return this.acceptance.of(opinion) >= this.#bound;
  }

  /** Whether to read off once more a token whose next one was started on this opinion. */
  sifts(opinion: Opinion): boolean {
    return this.acceptance.of(opinion) < SETTLED;
  }
}
