import { liveTensors } from '@looprpt/engine';
import { afterAll, describe, expect, it } from 'vitest';
import { tinyLoopLM } from '../../test-support/eval-models.js';
import { slowText } from '../../test-support/slow/slow-engine.js';
import { Engine } from './engine.js';
import type { EngineRequest, TokenEvent } from './request.js';

const { model, slow } = tinyLoopLM(11);
const options = { maxLength: 32, pageSize: 4, maxSequences: 3 };
const cache = { decode: 'per-loop', prefill: 'all' } as const;
const exit = { rule: 'gate', threshold: 0.6 } as const;
const requests: EngineRequest[] = Array.from({ length: 7 }, (_, i) => ({
  ...{ prompt: Array.from({ length: 1 + i }, (_, t) => (3 * i + t) % 11), maxTokens: 3 + (i % 4), exit },
}));

async function all(events: AsyncIterable<TokenEvent>): Promise<TokenEvent[]> {
  const list: TokenEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}
const idsOf = (events: TokenEvent[]): number[] => events.flatMap(({ token }) => (token ? [token.id] : []));

describe('the asynchronous engine', () => {
  afterAll(() => model.dispose());

  it('streams every request to its end, with others joining while it runs', async () => {
    using engine = new Engine(model, options);
    const first = requests.slice(0, 4).map((request) => all(engine.submit(request)));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    const rest = requests.slice(4).map((request) => all(engine.submit(request)));
    for (const [i, events] of (await Promise.all([...first, ...rest])).entries()) {
      expect(idsOf(events)).toEqual(slowText(slow, requests[i]!, cache).tokens);
      expect(events.map(({ finish }) => finish)).toEqual([...events.slice(1).map(() => null), 'length']);
    }
    expect(engine.core.pool.free + engine.core.prefixPages).toBe(engine.core.pool.pages);
    // It has come to rest and starts again.
    expect(idsOf(await all(engine.submit(requests[2]!)))).toEqual(slowText(slow, requests[2]!, cache).tokens);
  });

  it('lets timers run between passes', async () => {
    using engine = new Engine(model, options);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await all(engine.submit({ prompt: [1], maxTokens: 25 }));
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });

  it('frees the pages of a reader that goes away, and of a request that is cancelled while it waits', async () => {
    using engine = new Engine(model, { ...options, maxSequences: 1 });
    const going = engine.submit({ prompt: [1, 2], maxTokens: 25 });
    const waiting = engine.submit({ prompt: [3], maxTokens: 5 });
    const cancelled = all(waiting);
    let seen = 0;
    for await (const _ of going) {
      if (++seen === 1) waiting.cancel();
      if (seen === 3) break;
    }
    expect(engine.core.pool.free + engine.core.prefixPages).toBe(engine.core.pool.pages);
    expect(await cancelled).toEqual([{ token: null, text: '', finish: 'cancelled' }]);
    waiting.cancel();
    expect([engine.core.running, engine.core.waiting]).toEqual([0, 0]);
  });

  it('ends everything when a pass fails, and leaves nothing behind', async () => {
    const before = liveTensors();
    const engine = new Engine(model, options);
    const broken = engine.submit({
      ...{ prompt: [1], maxTokens: 4 },
      text: {
        decoder: {
          push: () => {
            throw new Error('the decoder broke');
          },
          end: () => '',
        },
      },
    });
    const other = engine.submit({ prompt: [2], maxTokens: 20 });
    await expect(all(broken)).rejects.toThrow('the decoder broke');
    await expect(all(other)).rejects.toThrow('the decoder broke');
    expect(engine.core.pool.free + engine.core.prefixPages).toBe(engine.core.pool.pages);
    engine[Symbol.dispose]();
    expect(liveTensors()).toBe(before);
  });

  it('cancels what is under way when it is disposed of', async () => {
    const engine = new Engine(model, options);
    const events = all(engine.submit({ prompt: [1], maxTokens: 20 }));
    await new Promise(setImmediate);
    engine[Symbol.dispose]();
    expect((await events).at(-1)!.finish).toBe('cancelled');
  });
});
