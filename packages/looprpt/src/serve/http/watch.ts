/**
 * Whether the decoder's thread still comes back from its work. It is asked for a word from time to time, and answers between two
 * passes; one that has been silent for too long is stalled, until it is heard of again.
 */
import type { DecoderClient } from '../worker/client.js';

/** Questions in the time after which silence is a stall. */
const QUESTIONS = 4;

export class Watch implements Disposable {
  readonly #client: DecoderClient;
  readonly #seconds: number;
  readonly #timer: NodeJS.Timeout;
  #heard = 0;
  #lastHeard = performance.now();
  #isStalled = false;
  #tellStalled: (() => void)[] = [];

  constructor(client: DecoderClient, seconds: number) {
    this.#client = client;
    this.#seconds = seconds;
    this.#timer = setInterval(() => this.#look(), (1000 * seconds) / QUESTIONS).unref();
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** The next time that it is stalled, which may be now. */
  whenStalled(): Promise<void> {
    return this.#isStalled ? Promise.resolve() : new Promise((tell) => this.#tellStalled.push(tell));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { model, fault, heard } = this.#client;
    const isSilent = model !== null && fault === null && heard === this.#heard;
    if (!isSilent) this.#lastHeard = performance.now();
    this.#heard = heard;
    this.#isStalled = performance.now() - this.#lastHeard > 1000 * this.#seconds;
    if (this.#isStalled) for (const tell of this.#tellStalled.splice(0)) tell();
    // While it is loaded the thread does not listen.
    if (model !== null && fault === null) this.#client.ping();
  }
}
