/** Checks of what a `Tensor` says of itself, values in and out, conversion, randomness, gradients; for tensor.test.ts. */

import { backward, Generator, ones, op, scope, type Tensor, tensor, zeros } from '@looprpt/engine';
import { expect } from 'vitest';

type Check = () => void;

const scoped =
  (check: () => void): Check =>
  () =>
    scope(check);
const x23 = (): Tensor =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
const moments = (values: ArrayLike<number>): { mean: number; variance: number } => {
  const list = Array.from(values);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  return { mean, variance: list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length };
};

export const objects = {
  shape: scoped(() => {
    expect(x23().shape).toEqual([2, 3]);
    expect(tensor(1).shape).toEqual([]);
    expect(zeros([2, 0, 3]).shape).toEqual([2, 0, 3]);
  }),
  size: scoped(() => {
    expect([x23().size(0), x23().size(1), x23().size(-1), x23().size(-2)]).toEqual([2, 3, 3, 2]);
    expect(() => x23().size(2)).toThrow('a tensor of shape [2,3] has no dimension 2');
    expect(() => x23().size(-3)).toThrow(RangeError);
  }),
  dim: scoped(() => expect([tensor(1).dim, x23().dim]).toEqual([0, 2])),
  numel: scoped(() => expect([tensor(1).numel, x23().numel, zeros([2, 0]).numel]).toEqual([1, 6, 0])),
  dtype: scoped(() =>
    expect([x23().dtype, x23().gt(1).dtype, x23().argmax(0).dtype]).toEqual(['float32', 'bool', 'int64']),
  ),
  device: scoped(() => expect(x23().device).toBe('cpu')),
  nbytes: scoped(() =>
    expect([x23().nbytes, x23().to({ dtype: 'bfloat16' }).nbytes, x23().gt(2).nbytes]).toEqual([24, 12, 6]),
  ),
  isContiguous: scoped(() => expect([x23().isContiguous, x23().transpose(0, 1).isContiguous]).toEqual([true, false])),
  forgetShape: scoped(() => {
    const x = x23();
    expect(x.shape).toEqual([2, 3]);
    expect(op('aten::t_')(x)).toBe(x);
    expect(x.shape).toEqual([3, 2]);
    expect(x.toArray()).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
  }),
  toString: scoped(() => expect(String(x23())).toBe('Tensor([2,3], float32, cpu)')),
  item: scoped(() => {
    expect([
      tensor(2.5).item(),
      tensor([[7]], { dtype: 'int32' }).item(),
      tensor([true], { dtype: 'bool' }).item(),
    ]).toEqual([2.5, 7, 1]);
    expect(() => x23().item()).toThrow(/6 elements|converted to Scalar/);
  }),
  toTyped: scoped(() => {
    expect(x23().transpose(0, 1).toTyped()).toEqual(new Float32Array([1, 4, 2, 5, 3, 6]));
    expect(x23().to({ dtype: 'int64' }).toTyped()).toEqual(new BigInt64Array([1n, 2n, 3n, 4n, 5n, 6n]));
    expect(x23().gt(3).toTyped()).toEqual(new Uint8Array([0, 0, 0, 1, 1, 1]));
  }),
  toNumbers: scoped(() => {
    expect(x23().transpose(0, 1).toNumbers()).toEqual(new Float64Array([1, 4, 2, 5, 3, 6]));
    expect(tensor(new BigInt64Array([-(2n ** 53n), 5n])).toNumbers()).toEqual(new Float64Array([-(2 ** 53), 5]));
    const denormal = Math.fround(1e-40);
    expect(tensor([denormal]).toNumbers()[0]).toBe(denormal);
  }),
  toArray: scoped(() => {
    expect(x23().toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(tensor(3).toArray()).toBe(3);
    expect(zeros([2, 0]).toArray()).toEqual([[], []]);
  }),
  viewTyped: scoped(() => {
    const x = x23();
    const view = x.viewTyped();
    const row = x.select(0, 1).viewTyped();
    view[4] = 50;
    expect([x.toArray(), Array.from(row as Float32Array)]).toEqual([
      [
        [1, 2, 3],
        [4, 50, 6],
      ],
      [4, 50, 6],
    ]);
    x.mul_(2);
    x.dispose();
    expect(view).toEqual(new Float32Array([2, 4, 6, 8, 100, 12]));
    expect(() => x23().transpose(0, 1).viewTyped()).toThrow('contiguous');
    expect(zeros([0]).viewTyped()).toEqual(new Float32Array(0));
  }),
  write: scoped(() => {
    const x = x23();
    expect(x.write(new Float32Array([6, 5, 4, 3, 2, 1]))).toBe(x);
    expect(x.toArray()).toEqual([
      [6, 5, 4],
      [3, 2, 1],
    ]);
    const parts = new Float32Array([0, 0, 1, 2, 3, 0]).subarray(2, 5);
    x.select(0, 1).write(parts);
    expect(x.toArray()).toEqual([
      [6, 5, 4],
      [1, 2, 3],
    ]);
    expect(() => x.write(new Float32Array(5))).toThrow(/24 bytes.*20 bytes/);
    expect(() => x.transpose(0, 1).write(new Float32Array(6))).toThrow('contiguous');
  }),
  to: scoped(() => {
    const x = x23();
    expect(x.to({ dtype: 'int32' }).dtype).toBe('int32');
    expect(x.to({ device: 'cpu', dtype: 'float64' }).dtype).toBe('float64');
    const same = x.to({ dtype: 'float32' });
    expect(same).not.toBe(x);
    same.dispose();
    expect(x.toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(() => x.to({ device: 'nowhere' })).toThrow('nowhere');
  }),
  normal_: scoped(() => {
    const x = zeros([20_000]);
    expect(x.normal_(3, 2, new Generator(1))).toBe(x);
    const { mean, variance } = moments(x.toNumbers());
    expect(mean).toBeCloseTo(3, 1);
    expect(Math.sqrt(variance)).toBeCloseTo(2, 1);
  }),
  uniform_: scoped(() => {
    const values = Array.from(zeros([20_000]).uniform_(-1, 3, new Generator(1)).toNumbers());
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...values)).toBeLessThan(3);
    const { mean, variance } = moments(values);
    expect(mean).toBeCloseTo(1, 1);
    expect(variance).toBeCloseTo(16 / 12, 1);
  }),
  multinomial: scoped(() => {
    const drawn = tensor([
      [1, 0, 3],
      [0, 1, 0],
    ]).multinomial(4000, true, new Generator(2));
    expect([drawn.shape, drawn.dtype]).toEqual([[2, 4000], 'int64']);
    const [first, second] = drawn.toArray<[number[], number[]]>();
    const twos = first.filter((i) => i === 2).length;
    expect([first.includes(1), new Set(second)]).toEqual([false, new Set([1])]);
    expect(twos / 4000).toBeCloseTo(0.75, 1);
    const without = tensor([1, 1, 1, 1]).multinomial(4, false, new Generator(2)).toArray<number[]>();
    expect(without.sort()).toEqual([0, 1, 2, 3]);
  }),
  requiresGrad: scoped(() => {
    const x = x23();
    expect(x.requiresGrad).toBe(false);
    x.requiresGrad = true;
    expect([x.requiresGrad, x.mul(2).requiresGrad]).toEqual([true, true]);
    expect(() => {
      tensor([1], { dtype: 'int64' }).requiresGrad = true;
    }).toThrow('floating point');
  }),
  isLeaf: scoped(() => {
    const x = x23();
    x.requiresGrad = true;
    expect([x.isLeaf, x.mul(2).isLeaf, x.detach().isLeaf]).toEqual([true, false, true]);
  }),
  grad: scoped(() => {
    const x = x23();
    expect(x.grad).toBe(null);
    x.requiresGrad = true;
    backward(x.mul(x).sum());
    expect(x.grad!.toArray()).toEqual([
      [2, 4, 6],
      [8, 10, 12],
    ]);
    x.grad = ones([2, 3]);
    expect(x.grad.toArray()).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    x.grad = null;
    expect(x.grad).toBe(null);
    expect(() => {
      x.grad = ones([3]);
    }).toThrow(
      'a gradient must have the shape, dtype and device of its tensor: float32 [2, 3] on cpu, not float32 [3] on cpu',
    );
  }),
} satisfies Partial<Record<keyof Tensor, Check>>;
