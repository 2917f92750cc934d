/**
 * The bounded queue: how many texts may be in the decoder, running or waiting, and when to come again.
 *
 * The decoder has a queue of its own, without a bound; what is let in here is all that it ever holds.
 */
import { ApiError } from './errors.js';

const LONGEST_WAIT_SECONDS = 60;

export class Admission {
  readonly #capacity: number;
  #inside = 0;
  /** Seconds that a text took of late, for the estimate of Retry-After. */
  #duration = 1;
  readonly #whenEmpty: (() => void)[] = [];

  /** @param capacity texts that run at once and those that may wait */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Texts let in and not yet released. */
  get inside(): number {
    return this.#inside;
  }

  /**
   * Lets a request's texts in, all or none.
   * @returns to be called once, when they have ended
   * @throws ApiError 429 where there is no room now, 400 where there never is
   */
  enter(texts: number): () => void {
    if (texts > this.#capacity)
      throw ApiError.invalid(
        `the request asks for ${texts} texts at once; this server takes ${this.#capacity}: send fewer prompts or a smaller n`,
        'n',
      );
    if (this.#inside + texts > this.#capacity) {
      const retryAfter = Math.min(LONGEST_WAIT_SECONDS, Math.max(1, Math.ceil(this.#duration)));
      const message = `the queue is full (${this.#inside} texts); try again in ${retryAfter} s`;
      throw new ApiError(429, 'rate_limit_error', message, { code: 'queue_full', retryAfter });
    }
    this.#inside += texts;
    const entered = performance.now();
    return () => {
      this.#inside -= texts;
      const seconds = (performance.now() - entered) / 1000;
      this.#duration += (seconds - this.#duration) / 8;
      if (this.#inside > 0) return;
      for (const tell of this.#whenEmpty.splice(0)) tell();
    };
  }

  /** The next time that nothing is inside, which may be now. */
  whenEmpty(): Promise<void> {
    if (this.#inside === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }
}
