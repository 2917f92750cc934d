/** Gradients that move into buckets while backward runs, in a group of one: what comes out is what `grad` would have been. */
import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../../test-support/collect-garbage.js';
import { backward } from '../autograd.js';
import { tensor, zeros } from '../create.js';
import { liveTensors, scope } from '../memory.js';
import type { Tensor } from '../tensor.js';
import { distributedBackends, ProcessGroup } from './group.js';
import { GradientReducer } from './reducer.js';

const join = (): Promise<ProcessGroup> => ProcessGroup.join({ rank: 0, size: 1, host: 'localhost', port: 1 });

/** A leaf that is used three times, as a looped model's weights are, one that is used once, and one that is not used. */
function leaves(): [Tensor, Tensor, Tensor] {
  const all = [tensor([0.5, -2]), tensor([3, 1]), tensor([7, 7])] as [Tensor, Tensor, Tensor];
  for (const leaf of all) leaf.requiresGrad = true;
  return all;
}
const loss = ([shared, once]: readonly Tensor[]): Tensor => shared!.mul(shared!).mul(shared!).mul(once!).sum();

describe.runIf(distributedBackends().includes('gloo'))('gradients in buckets', () => {
  test('are those of backward, for two steps; without one they count as zeros and say so', async () => {
    await using group = await join();
    await collectGarbage();
    const live = liveTensors();
    scope(() => {
      const expected = scope(() => {
        const own = leaves();
        backward(loss(own));
        return own.map((leaf) => leaf.grad?.toArray() ?? null);
      });
      const own = leaves();
      const [first, second] = [zeros([4]), zeros([2])];
      const place = (flat: Tensor, from: number) => [{ from: 0, place: flat.slice(0, from, from + 2) }];
      using reducer = new GradientReducer(group, [
        { flat: second, parameters: [{ tensor: own[1], pieces: place(second, 0) }] },
        {
          flat: first,
          parameters: [
            { tensor: own[2], pieces: place(first, 0) },
            { tensor: own[0], pieces: place(first, 2) },
          ],
        },
      ]);
      for (let step = 0; step < 2; step++) {
        reducer.arm();
        backward(loss(own));
        const { collectives, present } = reducer.finish();
        for (const collective of collectives) collective.wait();
        expect(present).toEqual([true, false, true]);
        expect(second.toArray()).toEqual(expected[1]);
        expect(first.toArray()).toEqual([0, 0, ...(expected[0] as number[])]);
        expect(own.map((leaf) => leaf.grad)).toEqual([null, null, null]);
      }
    });
    expect(liveTensors()).toBe(live);
  });

  test('are left alone while it is not armed, and added up until it is', async () => {
    await using group = await join();
    scope(() => {
      const [leaf] = leaves();
      const flat = zeros([2]);
      using reducer = new GradientReducer(group, [
        { flat, parameters: [{ tensor: leaf, pieces: [{ from: 0, place: flat }] }] },
      ]);
      backward(leaf.mul(3).sum());
      expect(leaf.grad?.toArray()).toEqual([3, 3]);
      reducer.arm();
      backward(leaf.mul(4).sum());
      for (const collective of reducer.finish().collectives) collective.wait();
      expect(flat.toArray()).toEqual([7, 7]);
    });
  });

  test('are added up in the dtype of the bucket where they are collected in between', async () => {
    await using group = await join();
    scope(() => {
      const [used, unused] = leaves().map((leaf) => {
        const half = scope(() => leaf.detach().to({ dtype: 'bfloat16' }));
        half.requiresGrad = true;
        return half;
      }) as [Tensor, Tensor];
      const flat = zeros([4]);
      const whole = (tensor: Tensor, from: number) => ({
        tensor,
        pieces: [{ from: 0, place: flat.slice(0, from, from + 2) }],
      });
      using reducer = new GradientReducer(group, [{ flat, parameters: [whole(used, 0), whole(unused, 2)] }]);
      // Twice, so that nothing of one step is left in the next. 300 is more than bfloat16 could add up one by one.
      for (let step = 0; step < 2; step++) {
        for (let i = 0; i < 300; i++) {
          if (i === 299) reducer.arm();
          backward(used.sum());
          if (i < 299) reducer.collect();
        }
        const { collectives, present } = reducer.finish();
        for (const collective of collectives) collective.wait();
        expect(flat.toArray()).toEqual([300, 300, 0, 0]);
        expect(present).toEqual([true, false]);
        expect(used.grad).toBeNull();
      }
    });
  });

  test('come back to the leaf once the reducer is gone', async () => {
    await using group = await join();
    scope(() => {
      const [leaf] = leaves();
      const flat = zeros([2]);
      {
        using reducer = new GradientReducer(group, [
          { flat, parameters: [{ tensor: leaf, pieces: [{ from: 0, place: flat }] }] },
        ]);
        reducer.arm();
      }
      backward(leaf.mul(3).sum());
      expect(leaf.grad?.toArray()).toEqual([3, 3]);
      expect(flat.toArray()).toEqual([0, 0]);
    });
  });
});
