/** The page's parts that need no browser: events however the network cuts them, chunks of both endpoints, the tally. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEvents } from './client/event-stream.js';
import { turnsOf } from './client/remembered.js';
import { chunkOf, ServerError } from './client/server.js';
import { Tally } from './client/tally.js';

function cut(bytes: Uint8Array, places: readonly number[]): ReadableStream<Uint8Array> {
  const ends = [...new Set(places.map((place) => place % bytes.length)), 0, bytes.length].sort((a, b) => a - b);
  return new ReadableStream({
    start(controller) {
      for (const [i, end] of ends.slice(1).entries()) controller.enqueue(bytes.slice(ends[i], end));
      controller.close();
    },
  });
}

async function eventsOf(text: string, places: readonly number[] = []): Promise<unknown[]> {
  const events = [];
  for await (const event of readEvents(cut(new TextEncoder().encode(text), places))) events.push(event);
  return events;
}

describe('events', () => {
  it('come out whole wherever the bytes are cut and however lines end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme' })),
        fc.array(fc.nat()),
        fc.constantFrom('\n', '\r\n'),
        async (texts, places, newline) => {
          const stream = texts.map((text) => `data: ${JSON.stringify({ text })}${newline}${newline}`).join('');
          const got = await eventsOf(`: a remark${newline}${stream}data: [DONE]${newline}${newline}`, places);
          expect(got).toEqual(texts.map((text) => ({ text })));
        },
      ),
    );
  });

  it('that end without [DONE] are no whole answer', async () => {
    await expect(eventsOf('data: {"a":1}\n\ndata: [DO')).rejects.toThrow('broke off');
  });

  it('left early hang up', async () => {
    let hungUp = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('data: 1\n\n')),
      cancel: () => {
        hungUp = true;
      },
    });
    for await (const _ of readEvents(endless)) break;
    expect(hungUp).toBe(true);
  });
});

describe('chunkOf', () => {
  it('pairs texts with loops, from either endpoint', () => {
    const pieces = [
      { text: 'a', loops: 2, drafted: null },
      { text: '', loops: 4, drafted: 1 },
    ];
    const own = { loops: [2, 4], token_texts: ['a', ''], drafted: [null, 1], finish_reason: null };
    expect(chunkOf({ choices: [{ text: 'a', ...own }] })).toEqual({ pieces, finish: null });
    expect(chunkOf({ choices: [{ delta: { content: 'a' }, ...own }] })).toEqual({ pieces, finish: null });
  });

  it('loses no text that tokens do not claim', () => {
    const chunk = { choices: [{ text: 'abc', loops: [1], token_texts: ['ab'], finish_reason: 'stop' }] };
    expect(chunkOf(chunk)).toEqual({
      pieces: [
        { text: 'ab', loops: 1, drafted: null },
        { text: 'c', loops: null, drafted: null },
      ],
      finish: 'stop',
    });
  });

  it('keeps text and loops together even where they disagree', () => {
    const { pieces } = chunkOf({
      choices: [{ text: 'xyz', loops: [1, 3], token_texts: ['a', 'b'], finish_reason: null }],
    });
    expect(pieces.map(({ text }) => text).join('')).toBe('xyz');
    expect(pieces.map(({ loops }) => loops)).toEqual([1, 3, null]);
  });

  it('takes a chunk without a choice, such as one of usage, as nothing', () => {
    expect(chunkOf({ choices: [], usage: {} })).toEqual({ pieces: [], finish: null });
  });

  it('throws the error that an event tells of', () => {
    expect(() => chunkOf({ error: { message: 'out of pages' } })).toThrow(ServerError);
    expect(() => chunkOf({ error: { message: 'out of pages' } })).toThrow('out of pages');
  });
});

describe('Tally', () => {
  it('counts exits, their mean and the share saved', () => {
    const tally = new Tally(4);
    expect([tally.meanLoops, tally.saved, tally.tokensPerSecond]).toEqual([null, null, null]);
    tally.add([1, 1, 4], 1000);
    tally.add([], 9000);
    tally.add([2], 1500);
    expect(tally.exits).toEqual([2, 1, 0, 1]);
    expect([tally.tokens, tally.meanLoops, tally.saved]).toEqual([4, 2, 0.5]);
  });

  it('measures the rate from the first arrival, whose tokens do not count', () => {
    const tally = new Tally(2);
    tally.add([1, 1], 5000);
    tally.add([2], 5250);
    tally.add([2, 1, 1], 6000);
    expect(tally.tokensPerSecond).toBe(4);
  });
});

describe('turnsOf', () => {
  const partner = { id: 'model', loops: 4 };
  const turn = { mode: 'chat', asked: 'a', pieces: [{ text: 'b', loops: 4, drafted: null }], note: '' };
  const kept = (change: object, changedTurn: object = {}): string =>
    JSON.stringify({ ...partner, turns: [turn, { ...turn, ...changedTurn }], ...change });

  it('gives back what was kept of this model', () => {
    expect(turnsOf(kept({}), partner)).toEqual([turn, turn]);
  });

  it.each([
    ['nothing', 'null'],
    ['no JSON', '{"id"'],
    ['another value', '[1, "a"]'],
    ['another model', kept({ id: 'other' })],
    ['other loops', kept({ loops: 3 })],
    ['no turns', kept({ turns: 'all' })],
    ['a turn that is none', kept({ turns: [null] })],
    ['another mode', kept({}, { mode: 'shout' })],
    ['no note', kept({}, { note: undefined })],
    ['a loop that the model lacks', kept({}, { pieces: [{ text: 'b', loops: 5, drafted: null }] })],
    ['a text that is none', kept({}, { pieces: [{ text: 7, loops: 1, drafted: null }] })],
    ['a piece that is none', kept({}, { pieces: [null] })],
  ])('takes %s for nothing', (_, text) => {
    expect(turnsOf(text, partner)).toEqual([]);
  });
});
