/**
 * Items one after the other, as long as nobody asks to stop. Between them signals have their turn, which they have not in a loop of
 * promises that are kept already.
 */
import { setImmediate } from 'node:timers/promises';

/**
 * @param every so many items signals are let in
 * @throws the signal's reason once it was given
 */
export async function* interruptible<T>(
  items: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal,
  every = 1,
): AsyncGenerator<T, void> {
  let count = 0;
  for await (const item of items) {
    if (count++ % every === 0) await setImmediate();
    signal.throwIfAborted();
    yield item;
  }
}
