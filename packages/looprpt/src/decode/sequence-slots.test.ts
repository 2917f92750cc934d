import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CachePolicy } from './cache-policy.js';
import { PagePool } from './page-pool.js';
import { type SequenceSize, SequenceSlots, type SlotMoves } from './sequence-slots.js';

const sizeArbitrary: fc.Arbitrary<SequenceSize & { exits: number[] }> = fc
  .record({ loops: fc.integer({ min: 1, max: 4 }), prompt: fc.nat(9), text: fc.integer({ min: 1, max: 9 }) })
  .chain(({ loops, prompt, text }) =>
    fc
      .array(fc.nat(loops - 1), { minLength: prompt + text, maxLength: prompt + text })
      .map((exits) => ({ loops, prompt, capacity: prompt + text, exits })),
  );
const policyArbitrary = fc.constantFrom<CachePolicy>(
  { decode: 'per-loop', prefill: 'all' },
  { decode: 'per-loop', prefill: 'adaptive' },
  { decode: 'last', prefill: 'all' },
  { decode: 'last', prefill: 'adaptive' },
  { decode: 'complete', prefill: 'all' },
);

describe('slots', () => {
  it('let every token see the loops of earlier ones that the policy says', () => {
    fc.assert(
      fc.property(
        policyArbitrary,
        fc.array(sizeArbitrary, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 5 }),
        (policy, sizes, pageSize) => {
          const pool = new PagePool(150, pageSize);
          // What was written last into each slot: "sequence:token:loop".
          const memory = new Map<number, string>();
          const all = sizes.map((size) => SequenceSlots.reserve(pool, policy, size)!);
          // With a complete cache nothing leaves early, wherever it is read off.
          const endOf = (s: number, position: number): number =>
            policy.decode === 'complete' ? sizes[s]!.loops - 1 : sizes[s]!.exits[position]!;
          const carryOut = ({ from, to }: SlotMoves): void => {
            const values = from.map((slot) => memory.get(slot)!);
            to.forEach((slot, i) => void memory.set(slot, values[i]!));
          };
          const longest = Math.max(...sizes.map(({ capacity }) => capacity));
          for (let position = 0; position < longest; position++)
            for (const [s, { prompt, capacity }] of sizes.entries()) {
              if (position >= capacity) continue;
              if (position === prompt && prompt > 0) carryOut(all[s]!.endPrefill());
              const slots = all[s]!;
              const isPrompt = position < prompt;
              for (let loop = 0; loop <= endOf(s, position); loop++) {
                const moves: SlotMoves = { from: [], to: [] };
                slots.fill(position, loop, moves);
                carryOut(moves);
                const slot = slots.slot(position, loop);
                memory.set(slot, `${s}:${position}:${loop}`);
                const line = slots.line(loop);
                expect(line[position]).toBe(slot);
                for (let t = 0; t < position; t++) {
                  const seen = isPrompt || policy.decode !== 'last' ? Math.min(loop, endOf(s, t)) : endOf(s, t);
                  expect(memory.get(line[t]!)).toBe(`${s}:${t}:${seen}`);
                }
              }
              slots.leave(position, endOf(s, position));
            }
          for (const slots of all) slots.release();
          expect(pool.free).toBe(pool.pages);
        },
      ),
    );
  });

  it('take what a later loop lacks when it is first looked at, all at once, and nothing for loops that never are', () => {
    const pool = new PagePool(8, 8);
    const slots = SequenceSlots.reserve(
      pool,
      { decode: 'per-loop', prefill: 'all' },
      { loops: 4, prompt: 0, capacity: 8 },
    )!;
    const moves: SlotMoves = { from: [], to: [] };
    for (let position = 0; position < 5; position++) {
      slots.fill(position, 0, moves);
      slots.leave(position, 0);
    }
    expect(moves).toEqual({ from: [], to: [] });
    slots.fill(5, 2, moves);
    const positions = [0, 1, 2, 3, 4];
    const expected = {
      from: positions.map((position) => slots.slot(position, 0)),
      to: positions.map((position) => slots.slot(position, 2)),
    };
    expect(moves).toEqual(expected);
    slots.fill(5, 2, moves);
    expect(moves).toEqual(expected);
  });

  it('are refused as a whole where the pages do not suffice', () => {
    const pool = new PagePool(5, 2);
    const size = { loops: 3, prompt: 2, capacity: 4 };
    expect(SequenceSlots.reserve(pool, { decode: 'per-loop', prefill: 'all' }, size)).toBeNull();
    expect(pool.free).toBe(5);
    expect(SequenceSlots.reserve(pool, { decode: 'last', prefill: 'all' }, size)).not.toBeNull();
    expect(pool.free).toBe(1);
  });
});

describe('the page pool', () => {
  it('hands every page out once at a time and refuses one that comes back twice', () => {
    const pool = new PagePool(6, 4);
    const a = pool.take(2);
    const b = pool.take(3);
    expect(new Set([...a, ...b]).size).toBe(5);
    expect([pool.free, pool.pagesFor(0), pool.pagesFor(4), pool.pagesFor(5)]).toEqual([1, 0, 1, 2]);
    pool.give(a);
    expect(() => pool.give(a.subarray(0, 1))).toThrow(/given back twice/);
    expect(() => pool.take(4)).toThrow(/4 pages are wanted, 3 are free/);
    pool.give(b);
    expect([...pool.take(6)].sort()).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
