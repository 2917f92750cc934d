import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import {
  arange,
  backward,
  fusedAttention,
  fusedRmsNorm,
  liveTensors,
  type NativeEntry,
  noGrad,
  type OperatorTime,
  op,
  profile,
  randn,
  scope,
  watchNative,
} from './index.js';

const calls = (times: readonly OperatorTime[], operator: string, backward = false): number =>
  times.find((time) => time.operator === operator && time.backward === backward)?.calls ?? 0;

describe('profile', () => {
  test('counts every operator, those inside others too', () => {
    const times = profile(() =>
      scope(() => {
        const x = randn([8, 8]);
        for (let i = 0; i < 3; i++) op('aten::linear')(x, x);
        x.relu();
      }),
    );
    expect(calls(times, 'aten::linear')).toBe(3);
    expect(calls(times, 'aten::matmul')).toBe(3);
    expect(calls(times, 'aten::mm')).toBe(3);
    expect(calls(times, 'aten::relu')).toBe(1);
    expect(times.some((time) => time.backward)).toBe(false);
  });

  test('self times: what runs inside another operator is not counted twice', () => {
    let wall = 0;
    const times = profile(() =>
      scope(() => {
        const x = randn([300, 300]);
        const start = performance.now();
        for (let i = 0; i < 10; i++) op('aten::linear')(x, x);
        wall = performance.now() - start;
      }),
    );
    const total = times.filter(({ operator }) => /linear|matmul|mm$|aten::t/.test(operator));
    expect(total.every(({ milliseconds }) => milliseconds >= 0)).toBe(true);
    expect(total.reduce((sum, { milliseconds }) => sum + milliseconds, 0)).toBeLessThanOrEqual(wall);
    const order = times.map(({ milliseconds }) => milliseconds);
    expect(order).toEqual([...order].sort((a, b) => b - a));
  });

  test('the addon’s own operators, their backward steps, and what those call', () => {
    const times = profile(() =>
      scope(() => {
        const [B, T, H, D] = [2, 6, 2, 4] as const;
        const x = randn([B, T, 3 * H * D]);
        const weight = randn([3 * H * D]);
        for (const leaf of [x, weight]) leaf.requiresGrad = true;
        const angle = arange(0, T).to({ dtype: 'float32' }).view(1, T, 1).expand(1, T, 2).contiguous();
        const angles = { cos: angle.cos(), sin: angle.sin() };
        const normed = fusedRmsNorm(x, weight, 1e-6);
        const out = fusedAttention(normed, angles, null, { heads: H, kvHeads: H, window: null });
        backward(
          out
            .view(B * T, H * D)
            .matmul(randn([H * D, 3]))
            .sum(),
        );
      }),
    );
    for (const operator of ['looprpt::rms_norm', 'looprpt::attention'])
      expect(calls(times, operator), operator).toBe(1);
    for (const step of ['looprpt::SelfAttention', 'SumBackward0']) expect(calls(times, step, true), step).toBe(1);
    expect(calls(times, 'aten::matmul')).toBe(1);
    expect(calls(times, 'aten::mm', true)).toBe(1);
    expect(calls(times, 'AccumulateGrad', true)).toBe(2);
    expect(calls(times, 'looprpt::SelfAttention')).toBe(0);
  });

  test('one at a time, and it ends when its body throws', () => {
    expect(() => profile(() => profile(() => {}))).toThrow('already');
    expect(() =>
      profile(() => {
        throw new Error('of the body');
      }),
    ).toThrow('of the body');
    expect(profile(() => scope(() => void randn([2])))).not.toEqual([]);
    expect(profile(() => {})).toEqual([]);
  });
});

describe('watchNative', () => {
  test('sees each call into the addon, and only while its body runs', async () => {
    const seen: NativeEntry[] = [];
    await collectGarbage();
    const live = liveTensors();
    const observe = (entry: NativeEntry, milliseconds: number): void => {
      expect(milliseconds).toBeGreaterThanOrEqual(0);
      seen.push(entry);
    };
    const work = (): number =>
      scope(() => {
        const x = randn([3]);
        x.requiresGrad = true;
        backward(x.mul(x).sum());
        return noGrad(() => x.grad!.sum().item());
      });
    const value = watchNative(observe, work);
    expect(Number.isFinite(value)).toBe(true);
    expect(seen.filter((entry) => entry === 'backward')).toHaveLength(1);
    expect(seen.filter((entry) => entry === 'call').length).toBeGreaterThanOrEqual(3);
    expect(liveTensors()).toBe(live);
    const before = seen.length;
    work();
    expect(() =>
      watchNative(
        () => {},
        () => {
          throw new Error('of the body');
        },
      ),
    ).toThrow('of the body');
    work();
    expect(seen).toHaveLength(before);
  });
});
