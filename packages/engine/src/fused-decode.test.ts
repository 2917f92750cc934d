import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  copySlots,
  full,
  fusedPagedAttention,
  fusedReadTokens,
  fusedRowLinear,
  getThreads,
  linear,
  packRows,
  pagedMemory,
  randn,
  scope,
  setThreads,
  type Tensor,
  tensor,
  type WantedToken,
  zeros,
} from './index.js';

function withThreads<T>(threads: number, body: () => T): T {
  const before = getThreads();
  setThreads(threads);
  const result = body();
  setThreads(before);
  return result;
}
const floats = (t: Tensor): Float32Array => t.toTyped() as Float32Array;

describe('fusedRowLinear', () => {
  const sizes = fc.record({
    N: fc.integer({ min: 1, max: 19 }),
    I: fc.integer({ min: 1, max: 70 }),
    O: fc.integer({ min: 1, max: 75 }),
  });

  it('is the product', () => {
    fc.assert(
      fc.property(sizes, ({ N, I, O }) =>
        scope(() => {
          const x = randn([N, I]);
          const weight = randn([O, I]);
          const expected = floats(linear(x, weight));
          floats(fusedRowLinear(x, packRows(weight))).forEach((y, i) => {
            expect(Math.abs(y - expected[i]!)).toBeLessThan(1e-4);
          });
        }),
      ),
    );
  });

  it('gives a row the same bits alone and among others, at any place', () => {
    fc.assert(
      fc.property(sizes, ({ N, I, O }) =>
        scope(() => {
          const x = randn([N, I]);
          const weight = packRows(randn([O, I]));
          const together = floats(fusedRowLinear(x, weight));
          for (let n = 0; n < N; n++)
            expect(floats(fusedRowLinear(x.slice(0, n, n + 1), weight))).toEqual(together.slice(n * O, (n + 1) * O));
        }),
      ),
    );
  });

  it('does not depend on the number of threads', () => {
    scope(() => {
      const x = randn([37, 130]);
      const weight = packRows(randn([301, 130]));
      const [one, three] = [1, 3].map((threads) => withThreads(threads, () => floats(fusedRowLinear(x, weight))));
      expect(three).toEqual(one);
    });
  });

  it('refuses what it cannot multiply', () => {
    scope(() => {
      expect(() => fusedRowLinear(zeros([2, 3]), packRows(zeros([4, 2])))).toThrow(/do not go with packed weights/);
      expect(() => fusedRowLinear(zeros([2, 3], { dtype: 'float64' }), packRows(zeros([4, 3])))).toThrow(/float32/);
      expect(() => packRows(zeros([4, 3]).transpose(0, 1))).toThrow(/contiguous/);
    });
  });
});

interface Case {
  heads: number;
  kvHeads: number;
  D: number;
  window: number | null;
  positions: number[];
  /** How a line's slots lie: in pages; in pages that others interrupt, as where a token left early; anywhere. */
  places: 'pages' | 'interrupted' | 'anywhere';
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    kvHeads: fc.integer({ min: 1, max: 3 }),
    group: fc.integer({ min: 1, max: 3 }),
    D: fc.constantFrom(2, 6, 16, 18, 32, 48, 50),
    window: fc.option(fc.integer({ min: 1, max: 9 })),
    positions: fc.array(fc.nat(40), { minLength: 1, maxLength: 5 }),
    places: fc.constantFrom('pages', 'interrupted', 'anywhere'),
  })
  .map(({ group, ...rest }) => ({ ...rest, heads: group * rest.kvHeads }));

const PLACES = 41;

/** A table [⌈Z/16⌉, G, D, 16] as one of slots, [16·⌈Z/16⌉, G, D]. */
function bySlot(table: Tensor): Tensor {
  const [blocks, G, D] = table.shape as [number, number, number];
  return table.permute(0, 3, 1, 2).reshape(blocks * 16, G, D);
}

const copies = (pairs: [number, number][]): Tensor =>
  tensor(Int32Array.from(pairs.flat()), { shape: [pairs.length, 2] });

/** Random keys or values; slots that no line names hold NaN, which nobody may notice. */
function table(blocks: number, named: readonly number[], [G, D]: [number, number]): Tensor {
  const slotsZGD = randn([blocks * 16, G, D]);
  const of = new Set(named);
  const others = Array.from({ length: blocks * 16 }, (_, slot) => slot).filter((slot) => !of.has(slot));
  slotsZGD.indexCopy_(0, tensor(others, { dtype: 'int64' }), full([others.length, G, D], Number.NaN));
  return slotsZGD.reshape(blocks, 16, G, D).permute(0, 2, 3, 1).contiguous();
}

/** The slots of a line of so many positions that comes after `before` blocks, in twice as many blocks as it fills. */
function lineOf(length: number, before: number, places: Case['places']): number[] {
  const blocks = Math.ceil(length / 16);
  return Array.from({ length }, (_, s) => {
    if (places === 'anywhere') return before * 16 + ((s * 7 + 3) % (blocks * 32));
    const isOther = places === 'interrupted' && s % 5 === 2;
    return (before + blocks - 1 - Math.floor(s / 16) + (isOther ? blocks : 0)) * 16 + (s % 16);
  });
}

/** Inputs with a line of its own for every row, or one for all; slots already hold keys and values. */
function inputs({ heads, kvHeads, D, positions, places }: Case, isShared = false) {
  const scattered: number[] = [];
  let blocks = 0;
  const addLine = (length: number): number => {
    const start = scattered.push(...lineOf(length, blocks, places)) - length;
    blocks += 2 * Math.ceil(length / 16);
    return start;
  };
  const all = isShared ? addLine(Math.max(...positions) + 1) : null;
  const rows = positions.map((position) => {
    const start = all ?? addLine(position + 1);
    return [position, scattered[start + position]!, start];
  });
  return {
    qkv: randn([positions.length, (heads + 2 * kvHeads) * D]),
    angles: { cos: randn([PLACES, D / 2]), sin: randn([PLACES, D / 2]) },
    memory: { keys: table(blocks, scattered, [kvHeads, D]), values: table(blocks, scattered, [kvHeads, D]) },
    paged: { rows: tensor(rows, { dtype: 'int32' }), lines: tensor(Int32Array.from(scattered)), copies: copies([]) },
    rows,
    scattered,
  };
}

/** 0, 1, … in an order that the seed decides. */
function shuffled(count: number, seed: number): number[] {
  const order = Array.from({ length: count }, (_, n) => n);
  const weight = (n: number): number => (Math.imul(n + 1, 2654435761) ^ Math.imul(seed + 1, 40503)) >>> 0;
  return order.sort((a, b) => weight(a) - weight(b));
}

/** By definition, in float64, one head and one key at a time. Also what the memory holds afterwards. */
function slow(one: Case, made: ReturnType<typeof inputs>): { out: number[]; keys: number[]; values: number[] } {
  const { heads, kvHeads, D, window, positions } = one;
  const numbers = (t: Tensor): number[] => [...t.toNumbers()];
  const [qkv, cos, sin] = [made.qkv, made.angles.cos, made.angles.sin].map(numbers) as [number[], number[], number[]];
  const [keys, values] = [numbers(bySlot(made.memory.keys)), numbers(bySlot(made.memory.values))] as const;
  const half = D / 2;
  const head = (n: number, h: number): number[] => {
    const at = (n * (heads + 2 * kvHeads) + h) * D;
    return qkv.slice(at, at + D);
  };
  const turn = (x: number[], place: number): number[] =>
    x.map((value, d) => {
      const j = d % half;
      const [c, s] = [cos[place * half + j]!, sin[place * half + j]!];
      return d < half ? value * c - x[d + half]! * s : value * c + x[d - half]! * s;
    });
  positions.forEach((position, n) => {
    for (let g = 0; g < kvHeads; g++) {
      const at = (made.rows[n]![1]! * kvHeads + g) * D;
      keys.splice(at, D, ...turn(head(n, heads + g), position));
      values.splice(at, D, ...head(n, heads + kvHeads + g));
    }
  });
  const out = positions.flatMap((position, n) =>
    Array.from({ length: heads }, (_, h) => {
      const g = Math.floor(h / (heads / kvHeads));
      const q = turn(head(n, h), position);
      const line = [...made.scattered.slice(made.rows[n]![2]!, made.rows[n]![2]! + position + 1)].slice(
        -(window ?? 1000),
      );
      const scores = line.map(
        (slot) => q.reduce((sum, x, d) => sum + x * keys[(slot * kvHeads + g) * D + d]!, 0) / Math.sqrt(D),
      );
      const largest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - largest));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return Array.from({ length: D }, (_, d) =>
        line.reduce((sum, slot, s) => sum + (weights[s]! / total) * values[(slot * kvHeads + g) * D + d]!, 0),
      );
    }).flat(),
  );
  return { out, keys, values };
}

function expectClose(actual: Tensor, expected: readonly number[]): void {
  const wrong = [...actual.toNumbers()].findIndex((value, i) => {
    const wanted = expected[i]!;
    if (Number.isNaN(wanted)) return !Number.isNaN(value);
    return !(Math.abs(value - wanted) < 2e-4 * (1 + Math.abs(wanted)));
  });
  expect(wrong, 'the first number that is wrong').toBe(-1);
}

describe('fusedPagedAttention', () => {
  it('writes and attends as the definition says', () => {
    fc.assert(
      fc.property(cases, (one) =>
        scope(() => {
          const made = inputs(one);
          const expected = slow(one, made);
          expectClose(fusedPagedAttention(made.qkv, made.angles, made.memory, made.paged, one), expected.out);
          expectClose(bySlot(made.memory.keys), expected.keys);
          expectClose(bySlot(made.memory.values), expected.values);
        }),
      ),
      { numRuns: 60 },
    );
  });

  it('lets rows of one line read together, as each would alone', () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 1, max: 23 }), fc.nat(17), (some, count, first) =>
        scope(() => {
          const one = { ...some, positions: Array.from({ length: count }, (_, n) => first + n) };
          const made = inputs(one, true);
          const expected = slow(one, made);
          const together = fusedPagedAttention(made.qkv, made.angles, made.memory, made.paged, one);
          expectClose(together, expected.out);
          made.rows.forEach((row, n) => {
            const alone = { rows: tensor([row], { dtype: 'int32' }), lines: made.paged.lines, copies: copies([]) };
            const out = fusedPagedAttention(made.qkv.slice(0, n, n + 1), made.angles, made.memory, alone, one);
            expect(floats(out)).toEqual(floats(together.slice(0, n, n + 1)));
          });
        }),
      ),
      { numRuns: 40 },
    );
  });

  it('lets the first rows attend while all store, in whatever order rows of a line come', () => {
    const orders = fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), fc.nat(2 ** 20));
    fc.assert(
      fc.property(cases, orders, (some, [skipped, first, second, seed]) =>
        scope(() => {
          // Two lines, whose rows come mixed.
          const positions = [first, second].flatMap((count) => Array.from({ length: count }, (_, n) => skipped + n));
          const order = shuffled(positions.length, seed);
          const made = inputs({ ...some, positions: order.map((n) => positions[n]!) });
          const starts = [first, second].map((count, line) => {
            const last = order.findIndex((n) => n === (line === 0 ? count - 1 : positions.length - 1));
            return made.rows[last]![2]!;
          });
          const rows = order.map((n) => {
            const start = starts[n < first ? 0 : 1]!;
            return [positions[n]!, made.scattered[start + positions[n]!]!, start];
          });
          const one = { ...made, rows, paged: { ...made.paged, rows: tensor(rows, { dtype: 'int32' }) } };
          const of = { ...some, positions: order.map((n) => positions[n]!) };
          const expected = slow(of, one);
          for (const attending of [positions.length, seed % positions.length]) {
            const memory = { keys: one.memory.keys.clone(), values: one.memory.values.clone() };
            const out = fusedPagedAttention(one.qkv, one.angles, memory, { ...one.paged, attending }, some);
            expect(out.shape).toEqual([attending, some.heads * some.D]);
            expectClose(out, expected.out.slice(0, attending * some.heads * some.D));
            expectClose(bySlot(memory.keys), expected.keys);
            expectClose(bySlot(memory.values), expected.values);
          }
        }),
      ),
      { numRuns: 60 },
    );
  });

  it('copies slots before it writes any', () => {
    scope(() => {
      const one: Case = { heads: 1, kvHeads: 1, D: 4, window: null, positions: [20], places: 'pages' };
      const { qkv, angles, memory, paged, rows } = inputs(one);
      const copied = { keys: memory.keys.clone(), values: memory.values.clone() };
      const pairs: [number, number][] = [
        [3, 17],
        [5, rows[0]![1]!],
      ];
      for (const [from, to] of pairs) copySlots(copied, [from], [to]);
      const expected = floats(fusedPagedAttention(qkv, angles, copied, paged, one));
      const out = fusedPagedAttention(qkv, angles, memory, { ...paged, copies: copies(pairs) }, one);
      expect(floats(out)).toEqual(expected);
      expect(floats(memory.keys)).toEqual(floats(copied.keys));
      expect(floats(memory.values)).toEqual(floats(copied.values));
    });
  });

  it('copies slots as if all were read first', () => {
    scope(() => {
      const memory = pagedMemory({ slots: 35, kvHeads: 2, headDim: 6 }, 'float32');
      expect(memory.keys.shape).toEqual([3, 2, 6, 16]);
      for (const table of [memory.keys, memory.values]) table.copy_(randn(table.shape));
      const expected = bySlot(memory.keys).toArray<number[][][]>();
      const [from, to] = [
        [3, 17, 34, 1],
        [17, 3, 0, 2],
      ] as const;
      const before = expected.slice();
      from.forEach((slot, n) => {
        expected[to[n]!] = before[slot]!;
      });
      copySlots(memory, from, to);
      expect(bySlot(memory.keys).toArray()).toEqual(expected);
    });
  });

  it('gives a row the same bits alone and among others', () => {
    fc.assert(
      fc.property(cases, (one) =>
        scope(() => {
          const { qkv, angles, memory, paged, rows } = inputs(one);
          const together = floats(fusedPagedAttention(qkv, angles, memory, paged, one));
          const width = one.heads * one.D;
          rows.forEach((row, n) => {
            const alone = { rows: tensor([row], { dtype: 'int32' }), lines: paged.lines, copies: copies([]) };
            expect(floats(fusedPagedAttention(qkv.slice(0, n, n + 1), angles, memory, alone, one))).toEqual(
              together.slice(n * width, (n + 1) * width),
            );
          });
        }),
      ),
      { numRuns: 40 },
    );
  });

  it('does not depend on the number of threads', () => {
    fc.assert(
      fc.property(cases, (one) =>
        scope(() => {
          const long = { ...one, positions: Array.from({ length: 40 }, (_, n) => n % PLACES) };
          for (const positions of [long.positions, one.positions]) {
            const { qkv, angles, memory, paged } = inputs({ ...one, positions });
            const run = () => floats(fusedPagedAttention(qkv, angles, memory, paged, one));
            expect(withThreads(3, run)).toEqual(withThreads(1, run));
          }
        }),
      ),
      { numRuns: 20 },
    );
  });

  it('lets rows of one sequence see each other in the same call', () => {
    scope(() => {
      const one: Case = { heads: 2, kvHeads: 1, D: 4, window: null, positions: [2], places: 'pages' };
      const { angles, memory } = inputs(one);
      const qkv = randn([3, 16]);
      const lines = tensor(Int32Array.of(2, 0, 1));
      const rows = [
        [0, 2, 0],
        [1, 0, 0],
        [2, 1, 0],
      ];
      const int32 = { dtype: 'int32' } as const;
      const copy = { keys: memory.keys.clone(), values: memory.values.clone() };
      const together = floats(
        fusedPagedAttention(qkv, angles, memory, { rows: tensor(rows, int32), lines, copies: copies([]) }, one),
      );
      const inTurn = rows.flatMap((row, n) => [
        ...floats(
          fusedPagedAttention(
            qkv.slice(0, n, n + 1),
            angles,
            copy,
            { rows: tensor([row], int32), lines, copies: copies([]) },
            one,
          ),
        ),
      ]);
      expect([...together]).toEqual(inTurn);
    });
  });

  it('refuses slots and places that do not exist', () => {
    scope(() => {
      const one: Case = { heads: 1, kvHeads: 1, D: 4, window: null, positions: [2], places: 'pages' };
      const { qkv, angles, memory } = inputs(one);
      const call =
        (row: number[], lines: number[], pairs: [number, number][] = []) =>
        () =>
          fusedPagedAttention(
            qkv,
            angles,
            memory,
            { rows: tensor([row], { dtype: 'int32' }), lines: tensor(Int32Array.from(lines)), copies: copies(pairs) },
            one,
          );
      expect(call([2, 32, 0], [0, 1, 2])).toThrow(/row 0 names a place, slot or line/);
      expect(call([2, 0, 1], [0, 1, 2])).toThrow(/row 0 names a place, slot or line/);
      expect(call([41, 0, 0], new Array(50).fill(0))).toThrow(/row 0 names a place, slot or line/);
      expect(call([2, 0, 0], [0, 32, 1])).toThrow(/slot 32 does not exist/);
      expect(call([2, 0, 0], [0, 2, 1], [[1, 32]])).toThrow(/copy 0 names a slot that does not exist/);
    });
  });
});

describe('fusedReadTokens', () => {
  const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
  const ways: WantedToken[] = [
    { temperature: 0, key: [0, 0] },
    { temperature: 1, key: [1, 2] },
    { temperature: 0.7, key: [2 ** 32 - 1, 3] },
    { temperature: 2, key: [5, 2 ** 32 - 1] },
  ];
  // Below a vector, one block of ids, several.
  const sizes = [1, 7, 384, 1031];

  /** Word `n` of the stream of a key: Threefry-2x32 with 20 rounds, in whole numbers without a bound. */
  function word([low, high]: readonly [number, number], n: number): number {
    const keys = [low, high, (low ^ high ^ 0x1bd11bda) >>> 0];
    const wrap = (x: number): number => x % 2 ** 32;
    let [x, y] = [wrap((n >> 1) + keys[0]!), keys[1]!];
    for (let round = 0; round < 20; round++) {
      x = wrap(x + y);
      const turned = BigInt(y) << BigInt([13, 15, 26, 6, 17, 29, 16, 24][round % 8]!);
      y = (Number((turned | (turned >> 32n)) & 0xffffffffn) ^ x) >>> 0;
      const four = (round + 1) / 4;
      if (Number.isInteger(four)) [x, y] = [wrap(x + keys[four % 3]!), wrap(y + keys[(four + 1) % 3]! + four)];
    }
    return n % 2 === 0 ? x : y;
  }

  /** By definition, in float64; −1 and NaN where the logits make no distribution. */
  function slow(logits: readonly number[], wanted: WantedToken): [id: number, logProb: number, margin: number] {
    const largest = Math.max(...logits);
    const given = 'id' in wanted ? wanted.id : null;
    if (!Number.isFinite(largest)) return [given ?? -1, nan, nan];
    const noisy = (temperature: number, key: readonly [number, number]): number[] =>
      logits.map((x, v) => x / temperature - Math.log(-Math.log1p(-(word(key, v) + 0.5) / 2 ** 32)));
    const pick = ({ temperature, key }: { temperature: number; key: readonly [number, number] }): [number, number] => {
      const values = temperature === 0 ? [...logits] : noisy(temperature, key);
      const [first, second = -inf] = values.toSorted((a, b) => b - a);
      return [values.indexOf(first!), first! - second];
    };
    const [id, margin] =
      given === null ? pick(wanted as { temperature: number; key: readonly [number, number] }) : [given, inf];
    const sum = logits.reduce((total, x) => total + Math.exp(x - largest), 0);
    return [id, logits[id]! - largest - Math.log(sum), margin];
  }

  it('draws as the definition says, with ids ruled out, and by how much', () => {
    const logit = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: -40, max: 40 }) }, fc.constant(-inf));
    const draw = fc.record({
      temperature: fc.constantFrom(0, 0.5, 1, 3),
      key: fc.tuple(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1)),
    });
    fc.assert(
      fc.property(fc.array(logit, { minLength: 1, maxLength: 90 }), draw, (quarters, wanted) =>
        scope(() => {
          const logits = quarters.map((q) => q / 4);
          const [id, logProb, margin] = fusedReadTokens(tensor([logits]), [wanted]);
          const [slowId, slowLogProb, slowMargin] = slow(logits, wanted);
          // In float32 ids that are as good as equal may be drawn either way.
          if (Number.isNaN(slowMargin) || slowMargin > 1e-4 || wanted.temperature === 0) expect(id).toBe(slowId);
          if (Number.isNaN(slowLogProb)) expect([logProb, margin]).toEqual([nan, nan]);
          else {
            if (id === slowId) expect(logProb).toBeCloseTo(slowLogProb, 4);
            if (slowMargin === inf) expect(margin).toBe(inf);
            else expect(margin).toBeCloseTo(slowMargin, 3);
          }
        }),
      ),
      { numRuns: 200 },
    );
  });

  it.each(sizes)('of %i logits that make no distribution draws nothing, and says so', (V) => {
    const rows: Record<string, (v: number) => number> = {
      'all NaN': () => nan,
      'the first NaN': (v) => (v === 0 ? nan : 1),
      'the last NaN': (v) => (v === V - 1 ? nan : -v),
      'all ruled out': () => -inf,
      'ruled out or NaN': (v) => (v % 2 === 0 ? nan : -inf),
      'one infinite': (v) => (v === V >> 1 ? inf : 0),
      'all infinite': () => inf,
    };
    for (const [name, logit] of Object.entries(rows))
      for (const wanted of ways)
        scope(() => {
          const logits = tensor([Array.from({ length: V }, (_, v) => logit(v))]);
          expect([...fusedReadTokens(logits, [wanted])], name).toEqual([-1, nan, nan]);
          expect([...fusedReadTokens(logits, [{ id: V - 1 }])], name).toEqual([V - 1, nan, nan]);
        });
  });

  it('a broken row does not change its neighbours', () =>
    scope(() => {
      const V = 300;
      const row = [...randn([V]).toNumbers()];
      for (const wanted of ways) {
        const alone = fusedReadTokens(tensor([row]), [wanted]);
        const between = fusedReadTokens(tensor([new Array(V).fill(nan), row, new Array(V).fill(-inf)]), [
          wanted,
          wanted,
          wanted,
        ]);
        expect([...between]).toEqual([-1, nan, nan, ...alone, -1, nan, nan]);
      }
    }));

  it('at a temperature that is next to nothing draws the likeliest', () =>
    scope(() => {
      const logits = tensor([[0, 3, -inf, 2.999]]);
      for (const temperature of [1e-5, 1e-30, 1e-45, Number.MIN_VALUE])
        expect(fusedReadTokens(logits, [{ temperature, key: [7, 7] }])[0]).toBe(1);
    }));

  it('refuses numbers that are none', () =>
    scope(() => {
      const logits = zeros([1, 3]);
      const refused: WantedToken[] = [
        { id: 3 },
        { id: -2 },
        { id: nan },
        { temperature: -1, key: [0, 0] },
        { temperature: nan, key: [0, 0] },
        { temperature: inf, key: [0, 0] },
        { temperature: 1, key: [2 ** 32, 0] },
        { temperature: 1, key: [0, nan] },
        { temperature: 1, key: [0.5, 0] },
      ];
      for (const wanted of refused) expect(() => fusedReadTokens(logits, [wanted])).toThrow(/row 0: no such id/);
    }));
});
