import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { documentAt, taskConfig } from './index.js';

/** Reads a document back: the pairs as written, and for each query the symbol, the hops and where the answer stands. */
function parse(text: string, joined = false) {
  const [head, tail] = text.split(' ask ') as [string, string];
  expect(head.startsWith('map ')).toBe(true);
  const words = head
    .slice(4)
    .split(/ , | /)
    .flatMap((word) => (joined ? [...word] : [word]));
  const pairs = new Map<string, string>();
  for (let index = 0; index < words.length; index += 2) {
    expect(pairs.has(words[index]!)).toBe(false);
    pairs.set(words[index]!, words[index + 1]!);
  }
  const queries = [...tail.matchAll(/([a-z]+) (\d+) (?:-> )?([a-z]+)/g)].map((match) => ({
    symbol: match[1]!,
    hops: Number(match[2]),
    answer: match[3]!,
    end: head.length + ' ask '.length + match.index + match[0].length,
  }));
  return { pairs, queries };
}

function follow(pairs: ReadonlyMap<string, string>, symbol: string, hops: number): string {
  return hops === 0 ? symbol : follow(pairs, pairs.get(symbol)!, hops - 1);
}

const settings = fc
  .record({
    symbols: fc.integer({ min: 5, max: 40 }),
    extra: fc.nat(30),
    hops: fc.integer({ min: 1, max: 12 }),
    queries: fc.integer({ min: 1, max: 30 }),
    cycle: fc.boolean(),
    compact: fc.boolean(),
  })
  .map(({ extra, ...rest }) => ({ ...rest, alphabet: rest.symbols + extra }));

describe('hop', () => {
  test('every answer is f applied h times, and the loss covers exactly the answers', () => {
    fc.assert(
      fc.property(settings, fc.nat(), fc.nat(1000), (setting, seed, index) => {
        const document = documentAt(taskConfig('hop', setting), seed, 'train', index);
        const { pairs, queries } = parse(document.text);
        expect(pairs.size).toBe(setting.symbols);
        expect([...pairs.values()].sort()).toEqual([...pairs.keys()].sort());
        expect(queries).toHaveLength(setting.queries);
        for (const { symbol, hops, answer } of queries) expect(follow(pairs, symbol, hops)).toBe(answer);
        expect(document.loss).toEqual(queries.map(({ answer, end }) => [end - answer.length, end]));
        expect(document.meta?.levels).toBe(queries.map(({ hops }) => hops).join(' '));
      }),
      { numRuns: 60 },
    );
  });

  test('a cycle visits every symbol', () => {
    const config = taskConfig('hop', { symbols: 9, cycle: true });
    for (let index = 0; index < 20; index++) {
      const { pairs } = parse(documentAt(config, 0, 'train', index).text);
      const visited = Array.from({ length: 9 }, (_, hops) => follow(pairs, 'a', hops));
      expect(new Set(visited).size).toBe(9);
    }
  });

  test('numbers of hops come up equally often', () => {
    const config = taskConfig('hop', { hops: 4, queries: 100 });
    const counts = new Map<number, number>();
    for (let index = 0; index < 20; index++) {
      for (const { hops } of parse(documentAt(config, 1, 'train', index).text).queries) {
        counts.set(hops, (counts.get(hops) ?? 0) + 1);
      }
    }
    expect([...counts.keys()].sort()).toEqual([1, 2, 3, 4]);
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(100);
  });

  test('joined pairs are words of two letters, and only of letters', () => {
    const { text } = documentAt(taskConfig('hop', { joined: true, compact: true }), 0, 'train', 5);
    const { pairs, queries } = parse(text, true);
    expect(text).toMatch(/^map( [a-f]{2}){6} ask /);
    for (const { symbol, hops, answer } of queries) expect(follow(pairs, symbol, hops)).toBe(answer);
    expect(() => taskConfig('hop', { joined: true, symbols: 27 })).toThrow('at most 26');
  });

  test('words are separated by single spaces, and without commas a query has three of them', () => {
    const { text } = documentAt(taskConfig('hop', { compact: true, symbols: 5, queries: 7 }), 0, 'tune', 3);
    expect(text).toMatch(/^map( [a-e] [a-e]){5} ask( [a-e] [1-4] [a-e]){7}$/);
  });

  test('no permutation occurs in two splits, though only 120 exist and every seed is used', () => {
    const config = taskConfig('hop', { symbols: 5, queries: 1 });
    const functionsOf = (split: 'train' | 'heldout' | 'tune', seed: number) =>
      new Set(
        Array.from({ length: 300 }, (_, index) =>
          [...parse(documentAt(config, seed, split, index).text).pairs].map(String).sort().join(),
        ),
      );
    const train = functionsOf('train', 1);
    const heldout = functionsOf('heldout', 2);
    const tune = functionsOf('tune', 3);
    expect(train.size).toBeGreaterThan(90);
    expect(train.size + heldout.size + tune.size).toBe(new Set([...train, ...heldout, ...tune]).size);
    expect(Math.min(heldout.size, tune.size)).toBeGreaterThan(0);
  });

  test('a split that cannot exist is a clear error', () => {
    const config = taskConfig('hop', { symbols: 2 });
    const make = () => (['train', 'heldout', 'tune'] as const).map((split) => documentAt(config, 0, split, 0));
    expect(make).toThrow(/task 'hop'.*raise symbols or alphabet/);
  });
});
