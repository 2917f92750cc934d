import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  allFinite,
  arange,
  type DType,
  firstNonFinite,
  getThreads,
  mapFile,
  ones,
  randn,
  scope,
  setThreads,
  type Tensor,
  tensor,
  zeros,
} from './index.js';

const floating = ['float64', 'float32', 'float16', 'bfloat16'] as const;

/** n ones, with values put in at some places. */
function onesBut(n: number, values: Record<number, number>, dtype: DType): Tensor {
  const numbers = new Float64Array(n).fill(1);
  for (const [at, value] of Object.entries(values)) numbers[Number(at)] = value;
  return tensor(numbers, { dtype });
}

describe.each(floating)('%s', (dtype) => {
  it('finds the first of all that is NaN or infinite', () => {
    const bad = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    // Sizes below and above a block of 2¹⁴ elements, and of several threads' parts.
    const sizes = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 16_000, max: 600_000 }));
    const before = getThreads();
    setThreads(3);
    fc.assert(
      fc.property(sizes, fc.array(fc.tuple(fc.double({ min: 0, max: 0.999 }), bad), { maxLength: 4 }), (n, put) =>
        scope(() => {
          const values = Object.fromEntries(put.map(([share, value]) => [Math.floor(share * n), value]));
          const places = Object.keys(values).map(Number);
          const x = onesBut(n, values, dtype);
          expect(firstNonFinite(x)).toEqual(places.length === 0 ? null : [Math.min(...places)]);
          expect(allFinite(x)).toBe(places.length === 0);
        }),
      ),
      { numRuns: 25 },
    );
    setThreads(before);
  });

  it('takes the largest and the smallest numbers for what they are', () =>
    scope(() => {
      const [largest, smallest] = {
        float64: [Number.MAX_VALUE, Number.MIN_VALUE],
        float32: [3.4028234663852886e38, 2 ** -149],
        float16: [65504, 2 ** -24],
        bfloat16: [3.3895313892515355e38, 2 ** -133],
      }[dtype] as [number, number];
      const x = tensor([largest, -largest, smallest, -smallest, 0, -0], { dtype });
      expect(firstNonFinite(x)).toBeNull();
    }));
});

it('says where, in a tensor of several dimensions and in one that is not contiguous', () =>
  scope(() => {
    const x = onesBut(24, { 17: Number.NaN, 20: Number.NaN }, 'bfloat16').view(2, 3, 4);
    expect(firstNonFinite(x)).toEqual([1, 1, 1]);
    expect(firstNonFinite(x.transpose(0, 2))).toEqual([0, 2, 1]);
    expect(firstNonFinite(x.slice(0, 0, 1))).toBeNull();
    expect(firstNonFinite(tensor(Number.POSITIVE_INFINITY))).toEqual([]);
  }));

it('integers, and nothing at all, are finite', () =>
  scope(() => {
    for (const x of [arange(0, 5), ones([3], { dtype: 'bool' }), zeros([0, 4])]) {
      expect(firstNonFinite(x)).toBeNull();
      expect(allFinite(x)).toBe(true);
    }
  }));

it('looks at a mapped file as it lies', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'finite-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'weights');
  const bits = new Uint16Array(5000).fill(0x3f80); // 1 in bfloat16
  bits[4321] = 0x7fc1; // NaN
  writeFileSync(file, bits);
  scope(() => {
    using mapped = mapFile(file);
    expect(firstNonFinite(mapped.tensor(0, 'bfloat16', [50, 100]))).toEqual([43, 21]);
    expect(firstNonFinite(mapped.tensor(0, 'bfloat16', [43, 100]))).toBeNull();
  });
});

it('of a parameter, needs no gradient to be off', () =>
  scope(() => {
    const x = randn([3]);
    x.requiresGrad = true;
    expect(allFinite(x)).toBe(true);
  }));
