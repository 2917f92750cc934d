/**
 * What a generation request holds while it runs: its room in the queue, its job in the decoder, its time limit. All of it is let
 * go of when the hold ends, which happens once, whoever is first: the last token, the clock, the client that goes away, a fault.
 */
import type { Admission } from './admission.js';
import { ApiError } from './errors.js';
import type { Metrics } from './metrics.js';

export interface HoldOptions {
  admission: Admission;
  metrics: Metrics;
  /** Most seconds from arrival to the last token. */
  seconds: number;
  texts: number;
  /** Aborts when the client goes away. */
  gone: AbortSignal;
}

export class Hold {
  readonly #controller = new AbortController();
  readonly #letGo: () => void;
  #ended = false;

  /** @throws ApiError where there is no room */
  constructor({ admission, metrics, seconds, texts, gone }: HoldOptions) {
    const leave = admission.enter(texts);
    const cancel = (reason: 'client' | 'timeout', error: ApiError): void => {
      metrics.cancelled.inc({ reason });
      this.end(error);
    };
    const onGone = (): void => cancel('client', clientGone());
    const timer = setTimeout(() => cancel('timeout', tooLong(seconds)), seconds * 1000);
    gone.addEventListener('abort', onGone, { once: true });
    this.#letGo = () => {
      clearTimeout(timer);
      gone.removeEventListener('abort', onGone);
      leave();
    };
    if (gone.aborted) onGone();
  }

  /** Aborts when the hold ends, with the reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Without effect after the first time. */
  end(reason: unknown = clientGone()): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#letGo();
    this.#controller.abort(reason);
  }
}

/** Nobody reads it; the status is the one by which logs know such requests. */
function clientGone(): ApiError {
  return new ApiError(499, 'invalid_request_error', 'the client went away');
}

function tooLong(seconds: number): ApiError {
  return new ApiError(504, 'timeout_error', `the request took longer than ${seconds} s, this server's limit`, {
    code: 'request_timeout',
  });
}
