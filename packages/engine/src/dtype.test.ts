import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arrayFor, type DType, dtypeOf, elementBytes, isFloating } from './dtype.js';
import { op, scope, Tensor, tensor, zeros } from './index.js';

const dtypes: DType[] = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
];

/** The value of half-precision bits with so many bits of exponent and fraction, by the definition of the format. */
function halfValue(bits: number, exponentBits: number, fractionBits: number): number {
  const fraction = bits & ((1 << fractionBits) - 1);
  const exponent = (bits >> fractionBits) & ((1 << exponentBits) - 1);
  const sign = bits >> (exponentBits + fractionBits) ? -1 : 1;
  const largest = (1 << exponentBits) - 1;
  const bias = largest >> 1;
  if (exponent === largest) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
}

const halves = [
  ['float16', 5, 10],
  ['bfloat16', 8, 7],
] as const;

describe('dtypes', () => {
  test.each(dtypes)('%s: bytes, arrays and libtorch agree', (dtype) => {
    scope(() => {
      const x = zeros([3], { dtype });
      expect(x.nbytes).toBe(3 * elementBytes(dtype));
      expect(x.toTyped()).toBeInstanceOf(arrayFor(dtype));
      expect(op('aten::is_floating_point')<boolean>(x)).toBe(isFloating(dtype));
      expect(dtypeOf(x.toTyped(), dtype)).toBe(dtype === 'bool' ? 'uint8' : dtype);
    });
  });

  test('a dtype without an array says so', () => {
    scope(() => {
      const complex = op('aten::complex')(tensor([1]), tensor([2]));
      expect(complex).toBeInstanceOf(Tensor);
      expect(() => complex.toTyped()).toThrow('there is no JavaScript array for dtype ComplexFloat');
    });
  });

  test.each(halves)('%s: every one of its 65,536 values', (dtype, exponentBits, fractionBits) => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const expected = Float64Array.from(bits, (b) => halfValue(b, exponentBits, fractionBits));
    scope(() => {
      const x = tensor(bits, { dtype });
      expect(x.toNumbers()).toEqual(expected);
      expect(x.toTyped()).toEqual(bits);
      // and back: from numbers to the same bits (a NaN to some NaN)
      const back = tensor(expected, { dtype }).toTyped();
      expect(bits.every((b, i) => back[i] === b || Number.isNaN(expected[i]))).toBe(true);
    });
  });

  test.each(halves)('%s: numbers are rounded to the nearest, ties to even', (dtype, exponentBits, fractionBits) => {
    const values = Float64Array.from({ length: 65_536 }, (_, bits) => halfValue(bits, exponentBits, fractionBits));
    const finite = [...new Set(values.filter(Number.isFinite))].sort((a, b) => a - b);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: finite.length - 2 }), fc.constantFrom(0.25, 0.5, 0.75), (i, part) => {
        const [low, high] = [finite[i]!, finite[i + 1]!];
        const between = Math.fround(low + part * (high - low));
        const [actual] = scope(() => tensor([between], { dtype }).toNumbers());
        const even = (value: number) => values.indexOf(value) % 2 === 0;
        const tie = between - low === high - between;
        const expected = tie ? (even(low) ? low : high) : between - low < high - between ? low : high;
        expect(actual).toBe(expected);
      }),
    );
  });

  test('conversions', () => {
    const converted = (values: number[], from: DType, to: DType): unknown =>
      scope(() => tensor(values, { dtype: from }).to({ dtype: to }).toArray());
    expect(converted([-1.9, -0.5, 0.5, 1.9], 'float32', 'int32')).toEqual([-1, 0, 0, 1].map((x) => x + 0));
    expect(converted([0, -2, 0.5], 'float32', 'bool')).toEqual([0, 1, 1]);
    expect(converted([300, -1], 'int32', 'uint8')).toEqual([44, 255]);
    expect(converted([1e5], 'float32', 'float16')).toEqual([Number.POSITIVE_INFINITY]);
    expect(converted([16_777_217], 'int64', 'float32')).toEqual([16_777_216]);
  });
});
