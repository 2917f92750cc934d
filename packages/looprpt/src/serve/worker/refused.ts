/** A request that cannot be met, with the field that is the reason. */
import type { Refusal } from './protocol.js';

export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }

  /** Clients know this case by its code or by the words before the number. @param param the request's field */
  static tooLong(maxLength: number, found: string, param: string): Refused {
    const message = `this model's maximum context length is ${maxLength} tokens, prompt and text together; ${found}`;
    return new Refused({ message, param, code: 'context_length_exceeded' });
  }
}
