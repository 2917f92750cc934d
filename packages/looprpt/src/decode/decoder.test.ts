import { liveTensors } from '@looprpt/engine';
import { afterAll, describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../engine/test-support/collect-garbage.js';
import { tinyLoopLM } from '../../test-support/eval-models.js';
import { slowText } from '../../test-support/slow/slow-decoder.js';
import { Decoder } from './decoder.js';
import type { DecodeRequest, TokenEvent } from './request.js';

const { model, slow } = tinyLoopLM(11);
const options = { maxLength: 32, pageSize: 4, maxSequences: 3 };
const cache = { decode: 'per-loop', prefill: 'all' } as const;
const exit = { rule: 'gate', threshold: 0.6 } as const;
const requests: DecodeRequest[] = Array.from({ length: 7 }, (_, i) => ({
  prompt: Array.from({ length: 1 + i }, (_, t) => (3 * i + t) % 11),
  maxTokens: 3 + (i % 4),
  exit,
}));

async function all(events: AsyncIterable<TokenEvent>): Promise<TokenEvent[]> {
  const list: TokenEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}
const idsOf = (events: TokenEvent[]): number[] => events.flatMap(({ token }) => (token ? [token.id] : []));

describe('the asynchronous decoder', () => {
  afterAll(() => model.dispose());

  it('streams every request to its end, with others joining while it runs', async () => {
    using decoder = new Decoder(model, options);
    const first = requests.slice(0, 4).map((request) => all(decoder.submit(request)));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    const rest = requests.slice(4).map((request) => all(decoder.submit(request)));
    for (const [i, events] of (await Promise.all([...first, ...rest])).entries()) {
      expect(idsOf(events)).toEqual(slowText(slow, requests[i]!, cache).tokens);
      expect(events.map(({ finish }) => finish)).toEqual([...events.slice(1).map(() => null), 'length']);
    }
    expect(decoder.core.pool.free + decoder.core.prefixPages).toBe(decoder.core.pool.pages);
    // It has come to rest and starts again.
    expect(idsOf(await all(decoder.submit(requests[2]!)))).toEqual(slowText(slow, requests[2]!, cache).tokens);
  });

  it('lets timers run between passes', async () => {
    using decoder = new Decoder(model, options);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await all(decoder.submit({ prompt: [1], maxTokens: 25 }));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });

  it('frees the pages of a reader that goes away, and of a request that is cancelled while it waits', async () => {
    using decoder = new Decoder(model, { ...options, maxSequences: 1 });
    const going = decoder.submit({ prompt: [1, 2], maxTokens: 25 });
    const waiting = decoder.submit({ prompt: [3], maxTokens: 5 });
    const cancelled = all(waiting);
    let seen = 0;
    for await (const _ of going) {
      if (++seen === 1) waiting.cancel();
      if (seen === 3) break;
    }
    expect(decoder.core.pool.free + decoder.core.prefixPages).toBe(decoder.core.pool.pages);
    expect(await cancelled).toEqual([{ token: null, text: '', finish: 'cancelled' }]);
    waiting.cancel();
    expect([decoder.core.running, decoder.core.waiting]).toEqual([0, 0]);
  });

  it('ends everything when a pass fails, and leaves nothing behind', async () => {
    await collectGarbage();
    const before = liveTensors();
    const decoder = new Decoder(model, options);
    const broken = decoder.submit({
      prompt: [1],
      maxTokens: 4,
      text: {
        stream: {
          push: () => {
            throw new Error('the stream broke');
          },
          end: () => '',
        },
      },
    });
    const other = decoder.submit({ prompt: [2], maxTokens: 20 });
    await expect(all(broken)).rejects.toThrow('the stream broke');
    await expect(all(other)).rejects.toThrow('the stream broke');
    expect(decoder.core.pool.free + decoder.core.prefixPages).toBe(decoder.core.pool.pages);
    decoder[Symbol.dispose]();
    expect(liveTensors()).toBe(before);
  });

  it('cancels what is under way when it is disposed of', async () => {
    const decoder = new Decoder(model, options);
    const events = all(decoder.submit({ prompt: [1], maxTokens: 20 }));
    await new Promise(setImmediate);
    decoder[Symbol.dispose]();
    expect((await events).at(-1)!.finish).toBe('cancelled');
  });
});
