/** Events that wait for their reader, or a reader that waits for them. To leave the loop early cancels. */
import type { TokenEvent } from './request.js';

export class EventStream implements AsyncIterator<TokenEvent, undefined> {
  readonly #events: TokenEvent[] = [];
  readonly cancel: () => void;
  #wake: (() => void) | null = null;
  #ended = false;
  #error: unknown;

  constructor(cancel: () => void) {
    this.cancel = cancel;
  }

  push(event: TokenEvent): void {
    this.#events.push(event);
    if (event.finish !== null) this.#ended = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error = error;
    this.#ended = true;
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<TokenEvent, undefined>> {
    while (this.#events.length === 0 && !this.#ended)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const event = this.#events.shift();
    if (event) return { done: false, value: event };
    if (this.#error !== undefined) throw this.#error;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<TokenEvent, undefined>> {
    this.cancel();
    this.#events.length = 0;
    return { done: true, value: undefined };
  }
}
