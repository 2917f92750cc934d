import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PagePool } from './page-pool.js';
import { PrefixCache } from './prefix-cache.js';

describe('the prefix cache', () => {
  it('finds the longest beginning that is remembered, like a list of all prompts would, and accounts for every page', () => {
    const action = fc.record({
      mode: fc.constantFrom('a', 'b'),
      tokens: fc.array(fc.nat(1), { maxLength: 7 }),
      wanted: fc.option(fc.integer({ min: 1, max: 40 }), { freq: 5 }),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 25 }), (actions) => {
        const pool = new PagePool(40, 2);
        const cache = new PrefixCache(pool);
        // By mode and beginning (whole pages) the pages that were read for it.
        const remembered = new Map<string, string>();
        const beginnings = (mode: string, tokens: number[]): string[] =>
          Array.from({ length: Math.floor(tokens.length / 2) }, (_, b) => `${mode}:${tokens.slice(0, 2 * (b + 1))}`);
        for (const { mode, tokens, wanted } of actions) {
          const found = cache.find(mode, tokens);
          const expected = beginnings(mode, tokens).filter((key) => remembered.has(key));
          expect(found.map(({ pages }) => pages.join())).toEqual(expected.map((key) => remembered.get(key)));
          for (const { pages } of found) pool.share(pages);
          const fresh = beginnings(mode, tokens).slice(found.length);
          if (2 * fresh.length <= pool.free) {
            const own = fresh.map(() => pool.take(2));
            const all = [...found.map(({ pages }) => pages), ...own];
            cache.add(mode, tokens, (index) => ({ pages: all[index]! }));
            fresh.forEach((key, i) => void remembered.set(key, own[i]!.join()));
            for (const pages of own) pool.give(pages);
          }
          for (const { pages } of found) pool.give(pages);
          expect(pool.free + cache.idlePages).toBe(pool.pages);
          if (wanted === null) continue;
          cache.makeRoom(wanted);
          expect(pool.free).toBeGreaterThanOrEqual(wanted);
          // What was given up is not found; what is found has its pages still.
          for (const key of remembered.keys()) {
            const [name, list] = key.split(':') as [string, string];
            const ids = list.split(',').map(Number);
            if (cache.find(name, ids).length < ids.length / 2) remembered.delete(key);
          }
          expect(2 * remembered.size).toBe(cache.idlePages);
        }
      }),
    );
  });

  it('gives up the longest unused first, never what is in use, and nothing in vain', () => {
    const pool = new PagePool(6, 1);
    const cache = new PrefixCache(pool);
    const remember = (token: number): Int32Array => {
      const pages = pool.take(1);
      cache.add('m', [token], () => ({ pages }));
      pool.give(pages);
      return pages;
    };
    remember(1);
    const used = remember(2);
    remember(3);
    cache.find('m', [1]);
    pool.share(used);
    cache.makeRoom(6);
    expect(pool.free).toBe(3);
    cache.makeRoom(4);
    expect([1, 2, 3].map((token) => cache.find('m', [token]).length)).toEqual([1, 1, 0]);
    cache.makeRoom(5);
    expect([1, 2, 3].map((token) => cache.find('m', [token]).length)).toEqual([0, 1, 0]);
  });
});
