/** What the server holds, by its own `/metrics`. */

import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What is held for requests and must be given back, by the name of its gauge. */
const HELD = {
  looprpt_texts_admitted: 'texts that were let in',
  looprpt_queue_length: 'texts that wait',
  looprpt_batch_size: 'texts that run',
  looprpt_cache_pages_used: 'pages of the cache',
  looprpt_connections_open: 'connections',
} as const;

const TENSORS = 'looprpt_live_tensors';
const PATIENCE_MS = 15_000;

export interface Gauges {
  held: Readonly<Record<keyof typeof HELD, number>>;
  /** The decoder's native tensors: weights, cache and what it keeps ready. */
  tensors: number;
}

/** The connection that asks is not counted. @throws Error where a gauge is missing */
export async function readGauges(server: URL): Promise<Gauges> {
  const outgoing = get(new URL('/metrics', server), { agent: new Agent({ keepAlive: false }) });
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const text = Buffer.concat(await answer.toArray()).toString();
  const read = (name: string): number => {
    const found = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    if (found === undefined) throw new Error(`/metrics has no ${name}`);
    return Number(found);
  };
  const held = Object.fromEntries(Object.keys(HELD).map((name) => [name, read(name)])) as Gauges['held'];
  return { held: { ...held, looprpt_connections_open: held.looprpt_connections_open - 1 }, tensors: read(TENSORS) };
}

/** What is held that should not be; empty when all was given back. */
export function leftovers({ held, tensors }: Gauges, before: Gauges): string[] {
  return [
    ...Object.entries(HELD).flatMap(([name, what]) => {
      const count = held[name as keyof typeof HELD];
      return count === 0 ? [] : [`${count} ${what} left over`];
    }),
    ...(tensors === before.tensors ? [] : [`${tensors} tensors, ${before.tensors} before`]),
  ];
}

/** Waits until nothing is left over, or long enough: the server hears of a client's going a moment later. */
export async function settle(server: URL, before: Gauges): Promise<string[]> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const left = leftovers(await readGauges(server), before);
    if (left.length === 0 || performance.now() > end) return left;
    await sleep(100);
  }
}
