/** Products with stored weights against plain loops over the same numbers, and their bits in any company. */
import { afterAll, describe, expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import { empty } from './create.js';
import { cat } from './functions.js';
import { Generator } from './generator.js';
import { liveTensors, scope } from './memory.js';
import { getThreads, setThreads } from './runtime.js';
import { bfloatProduct, dequantise, type Quantisation, quantise, quantisedProduct } from './stored-product.js';
import type { Tensor } from './tensor.js';

const threads = getThreads();
afterAll(() => setThreads(threads));

const generator = new Generator(5);
const normal = (rows: number, columns: number): Tensor => empty([rows, columns]).normal_(0, 1, generator);
type Rounding = (xNI: Tensor) => number[] | Float64Array;
/** What becomes of x where a product begins. */
const toPairs: Rounding = (x) => x.to({ dtype: 'bfloat16' }).to({ dtype: 'float32' }).toNumbers();
const BYTE_GROUP = 32;
const toBytes: Rounding = (x) =>
  x.toArray<number[][]>().flatMap((row) =>
    row.map((value, i) => {
      const from = i - (i % BYTE_GROUP);
      const largest = Math.max(...row.slice(from, from + BYTE_GROUP).map(Math.abs));
      return toEven(Math.fround(value * Math.fround(127 / largest))) * Math.fround(largest / 127);
    }),
  );

/** The nearest whole number, of two the even one. */
function toEven(value: number): number {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

/** Σ_i x_ni w_oi in double precision, and the sum of the magnitudes, of which float32's error is a small part. */
function slowProduct(xNI: Tensor, weightOI: Tensor, rounding: Rounding): { sums: number[]; sizes: number[] } {
  const [x, w] = [rounding(xNI), weightOI.to({ dtype: 'float32' }).toNumbers()];
  const [N, I, O] = [xNI.size(0), xNI.size(1), weightOI.size(0)];
  const sums: number[] = [];
  const sizes: number[] = [];
  for (let n = 0; n < N; n++)
    for (let o = 0; o < O; o++) {
      let [sum, size] = [0, 0];
      for (let i = 0; i < I; i++) {
        const product = x[n * I + i]! * w[o * I + i]!;
        sum += product;
        size += Math.abs(product);
      }
      sums.push(sum);
      sizes.push(size);
    }
  return { sums, sizes };
}

function expectProduct(actual: Tensor, xNI: Tensor, weightOI: Tensor, rounding = toPairs): void {
  const { sums, sizes } = slowProduct(xNI, weightOI, rounding);
  const far = Math.max(...Array.from(actual.toNumbers(), (value, i) => Math.abs(value - sums[i]!) / sizes[i]!));
  expect(far).toBeLessThan(2e-6);
}

/** The rows of a product one by one, in pairs and all together are the same bits, with one thread and with three. */
function expectSameInCompany(product: (xNI: Tensor) => Tensor, xNI: Tensor): void {
  const all = Array.from(product(xNI).toNumbers());
  const N = xNI.size(0);
  const parts = (size: number): number[] => {
    const pieces = Array.from({ length: Math.ceil(N / size) }, (_, p) =>
      product(xNI.slice(0, p * size, Math.min(N, (p + 1) * size)).contiguous()),
    );
    return Array.from(cat(pieces).toNumbers());
  };
  for (const count of [1, 3]) {
    setThreads(count);
    for (const size of [1, 2, 3, 5, 9, 11]) expect(parts(size)).toEqual(all);
  }
  setThreads(threads);
}

const SHAPES = [
  { N: 1, I: 32, O: 1 },
  { N: 3, I: 40, O: 7 },
  { N: 17, I: 200, O: 70 },
  { N: 5, I: 2048 + 96, O: 9 },
  { N: 2, I: 4224, O: 130 },
];
/** As many rows of x as weights are laid anew for, and no whole number of tiles. */
const MANY = [
  { N: 128, I: 40, O: 7 },
  { N: 137, I: 2100, O: 70 },
  { N: 149, I: 32, O: 33 },
];

describe('bfloat16 weights', () => {
  test.each([...SHAPES, ...MANY])('$N rows of $I inputs by $O outputs', ({ N, I, O }) =>
    scope(() => {
      const weight = normal(O, I).to({ dtype: 'bfloat16' });
      const x = normal(N, I);
      expectProduct(bfloatProduct(x, [weight]), x, weight);
    }),
  );
  test('pieces below each other are one matrix', () =>
    scope(() => {
      const weight = normal(50, 96).to({ dtype: 'bfloat16' });
      const x = normal(6, 96);
      const pieces = [weight.slice(0, 0, 7), weight.slice(0, 7, 30), weight.slice(0, 30, 50)];
      expect(bfloatProduct(x, pieces).toNumbers()).toEqual(bfloatProduct(x, [weight]).toNumbers());
    }));
  test('a row has the same bits alone and among others, with any number of threads', () =>
    scope(() => {
      const weight = normal(70, 2100).to({ dtype: 'bfloat16' });
      expectSameInCompany((x) => bfloatProduct(x, [weight]), normal(23, 2100));
    }));
  test.each(MANY)('$N rows of $I inputs have the bits of some of them', ({ N, I, O }) =>
    scope(() => {
      const pieces = [normal(O, I), normal(3, I)].map((weight) => weight.to({ dtype: 'bfloat16' }));
      expectSameInCompany((x) => bfloatProduct(x, pieces), normal(N, I));
    }),
  );
  test('no row of the weights is read beyond its end: what is no number stays in its row', () =>
    scope(() => {
      const weight = normal(8, 33).to({ dtype: 'bfloat16' });
      weight.slice(0, 3, 4).fill_(Number.NaN);
      const y = bfloatProduct(normal(2, 33), [weight]).toArray<number[][]>();
      for (const row of y)
        expect(row.map((value) => Number.isNaN(value))).toEqual([0, 0, 0, 1, 0, 0, 0, 0].map(Boolean));
    }));
  test('other shapes and dtypes are refused', () =>
    scope(() => {
      const weight = normal(4, 8);
      expect(() => bfloatProduct(normal(2, 8), [weight])).toThrow('bfloat_product: weights must be');
      expect(() => bfloatProduct(normal(2, 9), [weight.to({ dtype: 'bfloat16' })])).toThrow('[out, 9]');
    }));
});

const KINDS: Quantisation[] = [
  { bits: 8, group: 32, zeros: false, scale: 'float16' },
  { bits: 8, group: 128, zeros: true, scale: 'bfloat16' },
  { bits: 4, group: 32, zeros: false, scale: 'bfloat16' },
  { bits: 4, group: 64, zeros: true, scale: 'float16' },
  { bits: 4, group: 128, zeros: false, scale: 'float16' },
];

describe.each(KINDS)('$bits bits, groups of $group, zeros $zeros, scales in $scale', (kind) => {
  const { bits, group, zeros } = kind;

  test('codes and scales say what the layout says', () =>
    scope(() => {
      const [O, I] = [5, 1024 + 200];
      const weight = normal(O, I).add(zeros ? 1 : 0);
      const made = quantise(weight, kind);
      expect(made.scales.shape).toEqual([O, Math.ceil(I / group)]);
      const codes = made.codes.toNumbers();
      const scales = made.scales.toNumbers();
      const points = made.zeros?.toNumbers();
      const bytes = bits === 8 ? I : 64 * Math.ceil(I / 128);
      const codeAt = (o: number, i: number): number => {
        // In a whole stretch of 512 four of each 32 inputs stand together.
        const at = i % 512;
        const place = i < 1024 ? i - at + 64 * Math.floor((at % 32) / 4) + 4 * Math.floor(at / 32) + (at % 4) : i;
        if (bits === 8) return codes[o * bytes + place]!;
        const byte = codes[o * bytes + 64 * Math.floor(place / 128) + (place % 64)]!;
        return place % 128 < 64 ? byte & 15 : byte >> 4;
      };
      const said = dequantise(made, I).toNumbers();
      const true_ = weight.toNumbers();
      for (let o = 0; o < O; o++)
        for (let i = 0; i < I; i++) {
          const at = o * Math.ceil(I / group) + Math.floor(i / group);
          const zero = points ? points[at]! : bits === 4 ? 8 : 0;
          expect(said[o * I + i]).toBeCloseTo(scales[at]! * (codeAt(o, i) - zero), 5);
          // Clipping of an outlier is the worst; the rest is within half a step.
          const step = Math.abs(scales[at]!);
          expect(Math.abs(said[o * I + i]! - true_[o * I + i]!)).toBeLessThan((bits === 4 ? 3 : 12) * step);
        }
    }));

  test.each([...SHAPES, { N: 9, I: 1024 + 33, O: 65 }])('$N rows of $I inputs by $O outputs', ({ N, I, O }) =>
    scope(() => {
      const made = quantise(normal(O, I), kind);
      const x = normal(N, I);
      expectProduct(quantisedProduct(x, [made]), x, dequantise(made, I), toBytes);
    }),
  );

  test('a row has the same bits alone and among others, and the relative error is that of the bits', () =>
    scope(() => {
      const weight = normal(70, 2208);
      const made = quantise(weight, kind);
      expectSameInCompany((x) => quantisedProduct(x, [made, made]), normal(23, 2208));
      // Whole blocks of codes, an odd number of them.
      const chunks = quantise(normal(70, 2432), kind);
      expectSameInCompany((x) => quantisedProduct(x, [chunks]), normal(23, 2432));
      const error = dequantise(made, 2208).sub(weight).norm().item() / weight.norm().item();
      expect(error).toBeLessThan(bits === 8 ? 0.012 : 0.14);
    }));
});

test.each(KINDS.filter(({ zeros }) => !zeros))(
  '$bits bits: what is no number stays in its row, nothing stays nothing',
  (kind) =>
    scope(() => {
      const x = normal(4, 128);
      x.slice(0, 1, 2).slice(1, 40, 41).fill_(Number.NaN);
      x.slice(0, 2, 3).fill_(0);
      x.slice(0, 3, 4).slice(1, 3, 4).fill_(Number.POSITIVE_INFINITY);
      const y = quantisedProduct(x, [quantise(normal(3, 128), kind)]).toArray<number[][]>();
      const whole = y.map((row) => row.every((value) => Number.isFinite(value)));
      expect(whole).toEqual([true, false, true, false]);
      expect(y[2]).toEqual([0, 0, 0]);
    }),
);

test('nothing is left over, and kinds that do not exist are refused', async () => {
  await collectGarbage();
  const before = liveTensors();
  scope(() => {
    expect(() => quantise(normal(2, 8), { bits: 4, group: 16 as 32, zeros: false, scale: 'float16' })).toThrow(
      '4 or 8 bits and groups of 32, 64 or 128',
    );
    const made = quantise(normal(3, 64), KINDS[0]!);
    expect(() => quantisedProduct(normal(2, 96), [made])).toThrow('do not go with 96 inputs');
  });
  expect(liveTensors()).toBe(before);
});
