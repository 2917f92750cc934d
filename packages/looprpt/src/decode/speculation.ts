/**
 * Exact speculation over depth, the decisions: whether a token is worth reading off before its last loop, and whether the next one
 * is worth starting on what was read. Whatever is decided here the text is the same; only the time changes.
 *
 * A next token started early saves its sequence one pass if it turns out right; if not, the rows it ran until it was dropped were for
 * nothing. What a pass and a row cost is measured, and so is how often such a token is right. A pass is shared by all
 * sequences in it, so in a large batch a pass saved is worth little, and only what is nearly sure is started.
 *
 * It knows nothing of tensors or sequences; drafts.ts carries it out.
 */
import { z } from 'zod';
import { Acceptance, type Opinion } from './acceptance.js';
import { PassPrice } from './pass-price.js';

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
/** Rows that a wrong start takes, before any was seen; and how much one that is seen counts. */
const USUAL_WASTE = 1.5;
const NEWS = 0.02;
/** How often a deeper loop shows that a wrong start was wrong. */
const SHOWS = 0.7;

export class Speculation {
  readonly price = new PassPrice();
  readonly acceptance: Acceptance;
  readonly counts: DraftCounts = { drafted: 0, accepted: 0, passes: 0 };
  /** Reading a row's logits, in rows of a loop. */
  readonly #readShare: number;
  #waste = USUAL_WASTE;
  #sharers = 1;
  #asked = 0;

  constructor({ loops, readShare }: { loops: number; readShare: number }) {
    this.acceptance = new Acceptance(loops);
    this.#readShare = readShare;
  }

  /** A pass begins. @param sequences that decode in it */
  begin(sequences: number): void {
    this.#sharers = Math.max(1, sequences);
  }

  /** Rows that were run for a start that was wrong. */
  wasted(rows: number): void {
    this.#waste += NEWS * (rows - this.#waste);
  }

  /** Whether to read off a token whose next one has not started. @param loop that it has run, not its last */
  asks(loop: number, { draftLoops }: Speculate): boolean {
    if (draftLoops !== undefined) return loop >= draftLoops;
    const gain = this.acceptance.mean(loop, (probability) => Math.max(0, this.#gain(probability)));
    return gain === null || gain > this.#readShare * this.price.perRow || ++this.#asked % CURIOSITY === 0;
  }

  /** Whether to start the next token on this opinion. */
  starts(opinion: Opinion, { draftLoops }: Speculate): boolean {
    if (draftLoops !== undefined) return opinion.loop >= draftLoops;
    return this.#gain(this.acceptance.of(opinion)) > 0;
  }

  /** Whether to read off once more a token whose next one was started on this opinion. */
  sifts(opinion: Opinion): boolean {
    const wrong = 1 - this.acceptance.of(opinion);
    const { perRow, fixed } = this.price;
    return SHOWS * wrong * (fixed / this.#sharers + perRow) > this.#readShare * perRow;
  }

  #gain(probability: number): number {
    const { perRow, fixed } = this.price;
    return (probability * fixed) / this.#sharers - (1 - probability) * this.#waste * perRow;
  }
}
