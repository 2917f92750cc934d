/** A request that cannot be met, with the field that is the reason. */
import type { Refusal } from './protocol.js';

export class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}
