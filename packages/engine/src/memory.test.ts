import { beforeEach, describe, expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import { backward, liveTensors, noGrad, ones, scope, type Tensor, tensor, zeros } from './index.js';
import { claimedBytes } from './memory.js';
import { native } from './native.js';

let start = 0;
let claimedAtStart = 0;
beforeEach(async () => {
  await collectGarbage();
  start = liveTensors();
  claimedAtStart = claimedBytes();
});
const made = (): number => liveTensors() - start;

describe('scope', () => {
  test('frees all but the result', () => {
    const result = scope(() => {
      const a = ones([3]);
      const b = a.add(1);
      expect(made()).toBe(2);
      return b.mul(b);
    });
    expect(made()).toBe(1);
    expect(result.toArray()).toEqual([4, 4, 4]);
    result.dispose();
    expect(made()).toBe(0);
  });

  test('tensors in arrays, maps, sets and objects, however deep, once or twice', () => {
    const result = scope(() => {
      const x = ones([1]);
      return {
        list: [x.add(1), [x.add(2)]] as const,
        map: new Map([['a', { inner: x.add(3) }]]),
        set: new Set([x.add(4)]),
        bare: Object.assign(Object.create(null) as object, { x: x.add(5) }),
        twice: x,
        again: x,
        other: [1, 'two', null, undefined, new Date(0)],
      };
    });
    expect(made()).toBe(6);
    expect(result.map.get('a')!.inner.item()).toBe(4);
    for (const x of [...result.list.flat(), result.map.get('a')!.inner, ...result.set, result.twice]) x.dispose();
    (result.bare as { x: Tensor }).x.dispose();
    expect(made()).toBe(0);
  });

  test('a result that contains itself', () => {
    const result = scope(() => {
      const node: { x: Tensor; self?: unknown } = { x: ones([1]) };
      node.self = node;
      return node;
    });
    expect(made()).toBe(1);
    result.x.dispose();
  });

  test('tensors in objects of a class go', () => {
    class Holder {
      x = ones([1]);
    }
    const holder = scope(() => new Holder());
    expect(made()).toBe(0);
    expect(() => holder.x.toArray()).toThrow('already disposed of');
  });

  test('nested: the result belongs to the scope outside', () => {
    scope(() => {
      const outside = ones([2]);
      const inner = scope(() => {
        expect(scope(() => outside)).toBe(outside);
        return ones([2]).add(outside);
      });
      expect(made()).toBe(2);
      expect(inner.toArray()).toEqual([2, 2]);
      inner.dispose();
      expect(made()).toBe(1);
    });
    expect(made()).toBe(0);
  });

  test('an exception frees everything, and the scope outside goes on', () => {
    scope(() => {
      ones([1]);
      expect(() =>
        scope(() => {
          ones([1]).add(ones([2]).add(1));
          throw new Error('stop');
        }),
      ).toThrow('stop');
      expect(made()).toBe(1);
      ones([1]);
      expect(made()).toBe(2);
    });
    expect(made()).toBe(0);
  });

  test('a promise is refused and frees everything', () => {
    expect(() => scope(async () => ones([1]))).toThrow('scope() is synchronous');
    expect(made()).toBe(0);
  });

  test('disposing of some, in any order, leaves the others', () => {
    const rest = scope(() => {
      const all = Array.from({ length: 6 }, (_, i) => tensor(i));
      for (const i of [0, 5, 2]) all[i]!.dispose();
      expect(made()).toBe(3);
      expect([1, 3, 4].map((i) => all[i]!.item())).toEqual([1, 3, 4]);
      return [all[1], all[4]] as Tensor[];
    });
    expect([made(), ...rest.map((x) => x.item())]).toEqual([2, 1, 4]);
    for (const x of rest) x.dispose();
  });

  test('persist takes a tensor out; many tensors', () => {
    const kept = scope(() => {
      for (let i = 0; i < 5000; i++) tensor(i);
      const inner: Tensor[] = [];
      scope(() => inner.push(ones([1]).persist()));
      inner[0]!.persist();
      return { length: inner.length, x: inner[0]!.item(), inner: new WeakRef(inner) };
    });
    expect(made()).toBe(1);
    expect([kept.length, kept.x]).toEqual([1, 1]);
    for (const x of kept.inner.deref() ?? []) x.dispose();
    expect(made()).toBe(0);
  });
});

describe('dispose', () => {
  test('twice is once; use afterwards is an error', () => {
    const [x, y] = [ones([2]), ones([2])];
    x.dispose();
    x.dispose();
    expect(made()).toBe(1);
    expect(() => x.add(1)).toThrow('already disposed of');
    expect(() => y.add(x)).toThrow('already disposed of');
    expect(x.handle).toBe(0);
    // the slot is used again, and the old object does not see the new tensor
    const z = tensor([5, 6]);
    expect(() => x.toArray()).toThrow('already disposed of');
    expect(z.toArray()).toEqual([5, 6]);
    y.dispose();
    z.dispose();
    expect(made()).toBe(0);
  });

  test('using', () => {
    {
      using x = ones([1]);
      expect([made(), x.item()]).toEqual([1, 1]);
    }
    expect(made()).toBe(0);
  });

  test('a view keeps the storage', () => {
    const row = scope(() =>
      tensor([
        [1, 2],
        [3, 4],
      ]).select(0, 1),
    );
    expect(row.toArray()).toEqual([3, 4]);
    row.dispose();
    expect(made()).toBe(0);
  });
});

describe('the garbage collector', () => {
  test('frees what was forgotten', async () => {
    (() => {
      for (let i = 0; i < 100; i++) zeros([1000]);
    })();
    expect(made()).toBe(100);
    expect(claimedBytes() - claimedAtStart).toBe(400_000);
    await collectGarbage();
    expect([made(), claimedBytes()]).toEqual([0, claimedAtStart]);
  });

  test('leaves alone what is held, disposed of or in a scope', async () => {
    const held = ones([3]);
    ones([3]).dispose();
    await collectGarbage();
    expect(made()).toBe(1);
    expect(held.toArray()).toEqual([1, 1, 1]);
    held.dispose();
    await collectGarbage();
    expect([made(), claimedBytes()]).toEqual([0, claimedAtStart]);
  });

  test('is told of tensors outside scopes, of their views nothing', () => {
    const before = native.adjustExternalMemory(0);
    const x = zeros([1 << 24]);
    expect(claimedBytes() - claimedAtStart).toBe(1 << 26);
    expect(native.adjustExternalMemory(0) - before).toBeGreaterThan(1 << 25);
    const views = [x.view(1 << 12, 1 << 12), x.select(0, 0), x.detach()];
    expect(claimedBytes() - claimedAtStart).toBe(1 << 26);
    scope(() => {
      zeros([1 << 20]);
    });
    expect(claimedBytes() - claimedAtStart).toBe(1 << 26);
    const result = scope(() => zeros([1000]));
    expect(claimedBytes() - claimedAtStart).toBe((1 << 26) + 4000);
    for (const y of [x, ...views, result]) y.dispose();
    expect(claimedBytes()).toBe(claimedAtStart);
    expect(native.adjustExternalMemory(0) - before).toBeLessThan(1 << 25);
  });
});

test('two thousand training steps leave the tensors and the memory as they were', () => {
  const weights = [zeros([16, 32]), zeros([32, 1])].map((w) => w.normal_(0, 0.3));
  for (const w of weights) w.requiresGrad = true;
  const step = (): number =>
    scope(() => {
      const x = zeros([64, 16]).normal_(0, 1);
      const y = x.slice(1, 0, 1).sin();
      const loss = x.matmul(weights[0]!).relu().matmul(weights[1]!).sub(y).square().mean();
      backward(loss);
      noGrad(() => {
        for (const w of weights) w.add_(w.grad!, -0.05);
      });
      for (const w of weights) w.grad = null;
      return loss.item();
    });
  const losses = Array.from({ length: 200 }, step);
  const [live, claimed, resident] = [liveTensors(), claimedBytes(), process.memoryUsage.rss()];
  for (let i = 0; i < 2000; i++) losses.push(step());
  expect([liveTensors(), claimedBytes()]).toEqual([live, claimed]);
  expect(process.memoryUsage.rss() - resident).toBeLessThan(48 << 20);
  const average = (from: number): number => losses.slice(from, from + 100).reduce((a, b) => a + b) / 100;
  expect(average(2100)).toBeLessThan(average(0) / 2);
  for (const w of weights) w.dispose();
});
