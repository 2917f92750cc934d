/**
 * The decoder for asynchronous callers: requests in at any time, token events out as they are made. Passes follow each other as
 * long as anything is to be done, with a turn for the event loop after each.
 *
 * Not here: threads, HTTP, limits on the queue. A fault of a pass ends every request with that error; a model that gives no
 * numbers ends the request that met them, with a `ModelFault`.
 */
import type { z } from 'zod';
import type { LoopLM } from '../model/loop-lm.js';
import { DecoderCore, type decoderConfig } from './core.js';
import { ModelFault } from './model-fault.js';
import type { DecodeRequest, Sequence, TokenEvent } from './request.js';

/** A request under way: its events in order, the last with `finish`. To leave the loop early cancels it. */
export interface Submission extends AsyncIterable<TokenEvent> {
  /** Frees its pages at once; its last event says 'cancelled'. Without effect after the end. */
  cancel(): void;
}

/** The decoder: many texts at once, every token leaving at a loop of its own. It owns the cache; free it with `using`. */
export class Decoder implements Disposable {
  readonly core: DecoderCore;
  readonly #streams = new Map<Sequence, EventStream>();
  #driving = false;

  constructor(model: LoopLM, options: z.input<typeof decoderConfig> = {}) {
    this.core = new DecoderCore(model, options);
  }

  /**
   * @throws UserError for a request that can never run
   * @example
   * for await (const { token, text } of decoder.submit({ prompt, maxTokens: 64 })) …
   */
  submit(request: DecodeRequest): Submission {
    const sequence = this.core.add(request);
    const cancel = (): void => {
      const event = this.core.cancel(sequence);
      if (event) this.#deliver(sequence, event);
    };
    const stream = new EventStream(cancel);
    this.#streams.set(sequence, stream);
    void this.#drive();
    return { cancel, [Symbol.asyncIterator]: () => stream };
  }

  /** Cancels what is under way and frees the cache. */
  [Symbol.dispose](): void {
    for (const stream of [...this.#streams.values()]) stream.cancel();
    this.core[Symbol.dispose]();
  }

  async #drive(): Promise<void> {
    if (this.#driving) return;
    this.#driving = true;
    try {
      // Requests that are submitted together start together.
      await turn();
      for (let done = this.core.pass(); done; done = this.core.pass()) {
        for (const [sequence, event] of done.events) this.#deliver(sequence, event);
        await turn();
      }
    } catch (error) {
      for (const [sequence, stream] of this.#streams) {
        this.core.cancel(sequence);
        stream.fail(error);
      }
      this.#streams.clear();
    } finally {
      this.#driving = false;
    }
  }

  #deliver(sequence: Sequence, event: TokenEvent): void {
    const stream = this.#streams.get(sequence)!;
    if (event.finish === 'failed') stream.fail(new ModelFault());
    else stream.push(event);
    if (event.finish !== null) this.#streams.delete(sequence);
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Events that wait for their reader, or a reader that waits for them. */
class EventStream implements AsyncIterator<TokenEvent, undefined> {
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
