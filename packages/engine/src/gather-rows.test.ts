import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cat, type DType, gatherRows, liveTensors, putRows, randn, scope, tensor } from './index.js';

const DTYPES: readonly DType[] = ['float32', 'bfloat16', 'float64'];

describe('gatherRows', () => {
  const cases = fc.record({
    E: fc.integer({ min: 1, max: 40 }),
    tables: fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.constantFrom(...DTYPES)), {
      minLength: 1,
      maxLength: 3,
    }),
    places: fc.array(fc.tuple(fc.nat(99), fc.nat(99)), { maxLength: 9 }),
    dtype: fc.constantFrom(...DTYPES),
  });

  it('is the choice of rows from all tables below each other', () => {
    fc.assert(
      fc.property(cases, ({ E, tables: sizes, places, dtype }) =>
        scope(() => {
          const tables = sizes.map(([rows, of]) => randn([rows, E]).to({ dtype: of }));
          const pairs = places.map(
            ([table, row]) => [table % sizes.length, row % sizes[table % sizes.length]![0]] as const,
          );
          const starts = sizes.map((_, t) => sizes.slice(0, t).reduce((sum, [rows]) => sum + rows, 0));
          const gathered = gatherRows(tables, Int32Array.from(pairs.flat()), dtype);
          expect([gathered.shape, gathered.dtype]).toEqual([[pairs.length, E], dtype]);
          const all = cat(tables.map((table) => table.to({ dtype })));
          const wanted = pairs.map(([table, row]) => starts[table]! + row);
          const rows = all.indexSelect(0, tensor(BigInt64Array.from(wanted, BigInt), { dtype: 'int64' }));
          expect(gathered.toNumbers()).toEqual(rows.toNumbers());
        }),
      ),
    );
  });

  it('refuses rows and tables that do not exist, and rows of other widths', () => {
    scope(() => {
      const table = randn([3, 2]);
      expect(() => gatherRows([table], Int32Array.of(0, 3), 'float32')).toThrow(/no row 3 in a table of 3/);
      expect(() => gatherRows([table], Int32Array.of(0, -1), 'float32')).toThrow(/no row -1/);
      expect(() => gatherRows([table], Int32Array.of(1, 0), 'float32')).toThrow(/no table 1/);
      expect(() => gatherRows([table, randn([3, 4])], Int32Array.of(0, 0), 'float32')).toThrow(/tables must be/);
    });
  });
});

describe('putRows', () => {
  it.each(DTYPES)('copies rows into places, %s', (dtype) => {
    const before = liveTensors();
    scope(() => {
      const table = randn([5, 3]).to({ dtype });
      const rows = randn([4, 3]).to({ dtype });
      const [expected, from] = [table.toArray<number[][]>(), rows.toArray<number[][]>()];
      expected[4] = from[0]!;
      expected[1] = from[3]!;
      putRows(table, rows, Int32Array.of(0, 4, 3, 1));
      expect(table.toArray()).toEqual(expected);
    });
    expect(liveTensors()).toBe(before);
  });

  it('refuses what does not fit, and changes nothing', () => {
    scope(() => {
      const table = randn([2, 3]);
      const held = table.toArray();
      expect(() => putRows(table, randn([1, 3]), Int32Array.of(0, 1, 0, 2))).toThrow(/no row 2 in a table of 2/);
      expect(() => putRows(table, randn([1, 3]), Int32Array.of(0, 1, 1, 0))).toThrow(/no row 1 in a table of 1/);
      expect(() => putRows(table, randn([1, 4]), Int32Array.of(0, 0))).toThrow(/do not go into a table/);
      expect(() => putRows(table, randn([1, 3]).to({ dtype: 'bfloat16' }), Int32Array.of(0, 0))).toThrow(/do not go/);
      expect(table.toArray()).toEqual(held);
    });
  });
});
