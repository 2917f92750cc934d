/** The seeds of several texts for one prompt. */
import { Rng } from '../../base/rng.js';

/** Choice 0 has the request's own seed, so that it is the text that is made when only one is asked for. */
export function choiceSeed(seed: number, choice: number): number {
  if (choice === 0) return seed;
  const stream = Rng.fromSeed(seed).fold(choice);
  return stream.uint32() * 2 ** 21 + (stream.uint32() >>> 11);
}
