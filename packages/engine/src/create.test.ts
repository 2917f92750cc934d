import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arange, type DType, empty, full, Generator, ones, randn, scope, type Tensor, tensor, zeros } from './index.js';

/** What a tensor is, in one value. */
const facts = (x: Tensor): unknown => [x.dtype, x.shape, x.toArray()];
const made = (make: () => Tensor): unknown => scope(() => facts(make()));

describe('tensor() from numbers', () => {
  test('scalars, nested arrays, booleans', () => {
    expect(made(() => tensor(3))).toEqual(['float32', [], 3]);
    expect(
      made(() =>
        tensor([
          [1, 2],
          [3, 4],
          [5, 6],
        ]),
      ),
    ).toEqual([
      'float32',
      [3, 2],
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ]);
    expect(made(() => tensor([true, false], { dtype: 'bool' }))).toEqual(['bool', [2], [1, 0]]);
    expect(made(() => tensor([]))).toEqual(['float32', [0], []]);
    expect(made(() => tensor([[], []]))).toEqual(['float32', [2, 0], [[], []]]);
    expect(made(() => tensor([1, 2, 3, 4], { shape: [2, 2], dtype: 'int32' }))).toEqual([
      'int32',
      [2, 2],
      [
        [1, 2],
        [3, 4],
      ],
    ]);
  });

  test('any nested array comes back as it was', () => {
    const level = (depth: number): fc.Arbitrary<unknown> =>
      depth === 0
        ? fc.double({ noNaN: true })
        : fc.nat(3).chain((n) => {
            const inner = level(depth - 1);
            return fc.array(inner, { minLength: n, maxLength: n });
          });
    const regular = (value: unknown): number[] | null => {
      if (!Array.isArray(value)) return [];
      const shapes = value.map(regular);
      if (shapes.some((shape) => shape === null || String(shape) !== String(shapes[0]))) return null;
      return [value.length, ...(shapes[0] ?? [])];
    };
    fc.assert(
      fc.property(fc.nat(3).chain(level), (nested) => {
        const shape = regular(nested);
        const make = (): unknown => scope(() => tensor(nested as number, { dtype: 'float64' }).toArray());
        if (shape === null) expect(make).toThrow(RangeError);
        else expect(make()).toEqual(nested);
      }),
    );
  });

  test('ragged arrays and strangers are refused', () => {
    expect(() => tensor([[1, 2], [3]])).toThrow('the rows of a nested array differ in length');
    expect(() => tensor([[1], 2])).toThrow('the rows of a nested array differ in depth');
    expect(() => tensor([1, [2]])).toThrow(RangeError);
    expect(() => tensor(['1'] as unknown as number[])).toThrow('not a number: 1');
    expect(() => tensor(undefined as unknown as number)).toThrow(TypeError);
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow(/does not fit/);
    expect(() => tensor([1, 2], { shape: [-2] })).toThrow('negative');
    expect(() => tensor([1, 2], { shape: [1.5] })).toThrow('an integer was expected');
    expect(() => tensor([1], { dtype: 'float31' as DType })).toThrow("unknown dtype 'float31'");
  });
});

describe('tensor() from typed arrays', () => {
  const numbers = (array: NodeJS.TypedArray): number[] => Array.from(array as ArrayLike<number>, Number);
  const arrays: [NodeJS.TypedArray, DType][] = [
    [new Float32Array([1.5, -2]), 'float32'],
    [new Float64Array([1.5, -2]), 'float64'],
    [new BigInt64Array([1n, -2n]), 'int64'],
    [new Int32Array([1, -2]), 'int32'],
    [new Int16Array([1, -2]), 'int16'],
    [new Int8Array([1, -2]), 'int8'],
    [new Uint8Array([1, 254]), 'uint8'],
    [Buffer.from([1, 254]), 'uint8'],
  ];

  test.each(arrays)('%s: its own dtype', (array, dtype) => {
    expect(made(() => tensor(array))).toEqual([dtype, [2], numbers(array)]);
    expect(made(() => tensor(array, { shape: [2, 1], dtype: 'float64' }))).toEqual([
      'float64',
      [2, 1],
      numbers(array).map((x) => [x]),
    ]);
  });

  test('a part of a buffer, and a copy of it', () => {
    const all = new Int32Array([0, 1, 2, 3, 4]);
    const x = tensor(all.subarray(1, 3));
    all.fill(9);
    expect(facts(x)).toEqual(['int32', [2], [1, 2]]);
    x.dispose();
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared[1] = 3;
    expect(made(() => tensor(shared))).toEqual(['float32', [2], [0, 3]]);
  });

  test('64-bit integers stay whole', () => {
    const values = new BigInt64Array([2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n]);
    scope(() => expect(tensor(values).toTyped()).toEqual(values));
  });

  test('other bytes than zero and one make true', () => {
    expect(made(() => tensor(new Uint8Array([0, 1, 7]), { dtype: 'bool' }))).toEqual(['bool', [3], [0, 1, 1]]);
  });

  test('arrays that hold no dtype are refused', () => {
    expect(() => tensor(new Uint16Array(2))).toThrow('a Uint16Array needs dtype float16 or bfloat16');
    expect(() => tensor(new Uint16Array(2), { dtype: 'float32' })).toThrow(TypeError);
    expect(() => tensor(new Uint32Array(2), { dtype: 'int64' })).toThrow(
      'a Uint32Array holds the elements of no dtype',
    );
    expect(() => tensor(new BigUint64Array(2))).toThrow('BigUint64Array');
    expect(() => tensor(new DataView(new ArrayBuffer(8)) as unknown as Float32Array)).toThrow('DataView');
    expect(() => tensor(new Float32Array(3), { shape: [2, 2] })).toThrow(
      'a tensor of 16 bytes (float32 [2, 2] on cpu) does not fit an array of 12 bytes',
    );
  });
});

describe('filled and counted', () => {
  test('zeros, ones, full, empty', () => {
    expect(made(() => zeros([2, 1]))).toEqual(['float32', [2, 1], [[0], [0]]]);
    expect(made(() => ones([2], { dtype: 'int64' }))).toEqual(['int64', [2], [1, 1]]);
    expect(made(() => full([], 0.5, { dtype: 'float64' }))).toEqual(['float64', [], 0.5]);
    expect(made(() => full([2], Number.NEGATIVE_INFINITY))).toEqual([
      'float32',
      [2],
      Array(2).fill(Number.NEGATIVE_INFINITY),
    ]);
    expect(scope(() => [empty([2, 3]).shape, empty([1], { dtype: 'int8' }).dtype])).toEqual([[2, 3], 'int8']);
    expect(() => empty([2 ** 45])).toThrow(/allocate/);
  });

  test('arange counts as a loop does', () => {
    fc.assert(
      fc.property(fc.integer({ min: -9, max: 9 }), fc.nat(9), fc.integer({ min: 1, max: 4 }), (start, length, step) => {
        const expected: number[] = [];
        for (let value = start; value < start + length; value += step) expected.push(value);
        expect(made(() => arange(start, start + length, { step }))).toEqual(['int64', [expected.length], expected]);
      }),
    );
    expect(made(() => arange(0, 1, { step: 0.25, dtype: 'float64' }))).toEqual(['float64', [4], [0, 0.25, 0.5, 0.75]]);
  });

  test('randn is normal_ on a fresh tensor', () => {
    const drawn = scope(() => randn([3, 2], { generator: new Generator(5), dtype: 'float64' }).toArray());
    expect(drawn).toEqual(scope(() => empty([3, 2], { dtype: 'float64' }).normal_(0, 1, new Generator(5)).toArray()));
  });
});
