/**
 * Texts of clients to token ids. A text that cannot fit is refused before it is tokenised, by its bytes alone; what is tokenised
 * never takes all of Node's thread pool, and long texts take one place of it, so that a short one need not wait for them.
 */
import type { Tokenizer } from '../../text/tokenizer.js';
import { Refused } from './refused.js';
import { Turnstile } from './turnstile.js';

const LONG_BYTES = 16 * 2 ** 10;
/** Of the four threads that Node's pool has. */
const SHORT_PLACES = 2;
const LONG_PLACES = 1;

export class TextReader {
  readonly #tokenizer: Tokenizer;
  readonly #maxLength: number;
  readonly #short = new Turnstile(SHORT_PLACES);
  readonly #long = new Turnstile(LONG_PLACES);

  /** @param maxLength most tokens of a text */
  constructor(tokenizer: Tokenizer, maxLength: number) {
    this.#tokenizer = tokenizer;
    this.#maxLength = maxLength;
  }

  /** Most bytes of a text that may fit; Infinity where the tokenizer sets no bound. */
  get mostBytes(): number {
    const { tokenBytes } = this.#tokenizer;
    return tokenBytes === null ? Number.POSITIVE_INFINITY : tokenBytes * this.#maxLength;
  }

  /** @param param the request's field, for refusals @throws Refused, UserError */
  async read(text: string, param: string): Promise<Int32Array> {
    const bytes = Buffer.byteLength(text);
    if (bytes > this.mostBytes) throw Refused.tooLong(this.#maxLength, 'the text is longer than so many can be', param);
    const turnstile = bytes > LONG_BYTES ? this.#long : this.#short;
    return turnstile.run(() => this.#tokenizer.encode(text));
  }
}
