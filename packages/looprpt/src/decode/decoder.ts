/**
 * The decoder for asynchronous callers: requests in at any time, tokens out as they are made. Passes follow each other as long as
 * anything is to be done, with a turn for the event loop after each.
 *
 * Not here: threads, HTTP, limits on the queue. A fault of a pass ends every request with that error; a model that gives no
 * numbers ends the request that met them, with a `ModelFault`.
 */
import type { z } from 'zod';
import { UserError } from '../base/user-error.js';
import type { LoopLM } from '../model/loop-lm.js';
import { DecoderCore, type decoderConfig } from './core.js';
import { EventStream } from './event-stream.js';
import { type GenerateOptions, Generation } from './generation.js';
import { ModelFault } from './model-fault.js';
import type { TextModel } from './prompt.js';
import type { DecodeRequest, TokenEvent } from './request.js';
import type { Sequence } from './sequence.js';

/** A request under way: its events in order, the last with `finish`. To leave the loop early cancels it. */
export interface Submission extends AsyncIterable<TokenEvent> {
  /** Frees its pages at once; its last event says 'cancelled'. Without effect after the end. */
  cancel(): void;
}

/** The decoder: many texts at once, every token leaving at a loop of its own. It owns the cache; free it with `using`. */
export class Decoder implements Disposable {
  readonly core: DecoderCore;
  readonly #model: TextModel | null;
  readonly #streams = new Map<Sequence, EventStream>();
  #driving = false;

  /**
   * @param model stays the caller's; weights alone serve `submit`, texts need the tokenizer, too
   * @param options sizes of the batch and the cache, and what the cache keeps of tokens that leave early
   */
  constructor(model: TextModel | LoopLM, options: z.input<typeof decoderConfig> = {}) {
    this.#model = 'lm' in model ? model : null;
    this.core = new DecoderCore('lm' in model ? model.lm : model, options);
  }

  /**
   * Continues a prompt. Texts that are asked for at the same time share their passes.
   * @param prompt text, or token ids
   * @throws UserError where there is no tokenizer, and when the first token is asked for what can never run
   * @example
   * using decoder = new Decoder(model);
   * for await (const { text } of decoder.generate('The capital of France is', { exit: { gate: 0.7 } })) process.stdout.write(text);
   */
  generate(prompt: string | ArrayLike<number>, options: GenerateOptions = {}): Generation {
    if (this.#model === null)
      throw new UserError('texts need a tokenizer: give the decoder a model with one, or token ids to submit()');
    return new Generation(this.#model, prompt, options, (request) => this.submit(request));
  }

  /**
   * The same for token ids, with every event of a request.
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
