import { describe, expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import {
  backward,
  enableGrad,
  grad,
  inference,
  isGradEnabled,
  liveTensors,
  noGrad,
  ones,
  op,
  scope,
  type Tensor,
  tensor,
} from './index.js';

function leaf(values: number[]): Tensor {
  const x = tensor(values, { dtype: 'float64' });
  x.requiresGrad = true;
  return x;
}
const clean = (body: () => void) => async (): Promise<void> => {
  await collectGarbage();
  const before = liveTensors();
  scope(body);
  expect(liveTensors()).toBe(before);
};

describe('backward', () => {
  test(
    'accumulates on leaves',
    clean(() => {
      const x = leaf([1, 2, 3]);
      backward(x.mul(x).sum());
      expect(x.grad!.toArray()).toEqual([2, 4, 6]);
      backward(x.mul(3).sum());
      expect(x.grad!.toArray()).toEqual([5, 7, 9]);
      x.grad = null;
      backward(x.sum());
      expect(x.grad!.toArray()).toEqual([1, 1, 1]);
    }),
  );

  test(
    'with the gradient of a result that is no scalar',
    clean(() => {
      const x = leaf([1, 2]);
      backward(x.square(), tensor([10, -1], { dtype: 'float64' }));
      expect(x.grad!.toArray()).toEqual([20, -4]);
    }),
  );

  test(
    'a graph is used once, unless it is retained',
    clean(() => {
      const x = leaf([2]);
      const y = x.mul(x).sum();
      backward(y, undefined, { retainGraph: true });
      backward(y);
      expect(x.grad!.toArray()).toEqual([8]);
      expect(() => backward(y)).toThrow('second time');
    }),
  );

  test(
    'createGraph gives gradients that can be differentiated',
    clean(() => {
      const x = leaf([2]);
      backward(x.pow(3).sum(), undefined, { createGraph: true });
      const first = x.grad!;
      expect(first.requiresGrad).toBe(true);
      x.grad = null;
      backward(first.sum());
      expect(x.grad!.toArray()).toEqual([12]);
      x.grad = null;
    }),
  );

  test(
    'a gradient read twice is the same memory',
    clean(() => {
      const x = leaf([1, 2]);
      backward(x.sum());
      noGrad(() => x.grad!.mul_(5));
      expect(x.grad!.toArray()).toEqual([5, 5]);
    }),
  );

  test(
    'through views, in-place operators and several leaves',
    clean(() => {
      const [x, w] = [leaf([1, 2, 3, 4]), leaf([0.5, -1])];
      const y = x.view(2, 2).clone();
      y.select(0, 0).mul_(w);
      backward(y.square().sum());
      // y = [[w0 x0, w1 x1], [x2, x3]]
      expect(x.grad!.toArray()).toEqual([2 * 0.25 * 1, 2 * 1 * 2, 6, 8]);
      expect(w.grad!.toArray()).toEqual([2 * 0.5 * 1, 2 * -1 * 4]);
    }),
  );

  test(
    'errors',
    clean(() => {
      const x = leaf([1, 2]);
      expect(() => backward(ones([1]))).toThrow('does not require grad');
      expect(() => backward(x.mul(2))).toThrow('grad can be implicitly created only for scalar outputs');
      expect(() => backward(x.mul(2), ones([3], { dtype: 'float64' }))).toThrow(
        /invalid gradient at index 0|[Mm]ismatch in shape/,
      );
      expect(() => x.mul_(2)).toThrow('a leaf Variable that requires grad');
      const y = x.exp();
      y.mul_(2);
      expect(() => backward(y.sum())).toThrow('modified by an inplace operation');
    }),
  );

  test(
    'write() counts as a change in place',
    clean(() => {
      const x = leaf([1, 2]);
      const y = x.exp();
      const z = y.mul(y).sum();
      y.write(new Float64Array([3, 4]));
      expect(() => backward(z)).toThrow('modified by an inplace operation');
      expect(x.write(new Float64Array([3, 4])).toArray()).toEqual([3, 4]);
    }),
  );
});

describe('grad', () => {
  test(
    'returns values and leaves the leaves alone',
    clean(() => {
      const [a, b] = [leaf([1, 2]), leaf([3, 4])];
      const [da, db] = grad([a.mul(b).sum()], [a, b]);
      expect([da!.toArray(), db!.toArray()]).toEqual([
        [3, 4],
        [1, 2],
      ]);
      expect([a.grad, b.grad]).toEqual([null, null]);
    }),
  );

  test(
    'several outputs, with gradients of their own',
    clean(() => {
      const x = leaf([1, 2]);
      const gradients = [tensor([1, 10], { dtype: 'float64' }), tensor(2, { dtype: 'float64' })];
      const [dx] = grad([x.mul(3), x.square().sum()], [x], { gradients });
      expect(dx!.toArray()).toEqual([3 + 2 * 2, 30 + 2 * 4]);
    }),
  );

  test(
    'of an inner tensor; null where an input plays no part',
    clean(() => {
      const [x, unused] = [leaf([1, 2]), leaf([1])];
      const middle = x.mul(2);
      const [dMiddle, dUnused] = grad([middle.square().sum()], [middle, unused]);
      expect(dMiddle!.toArray()).toEqual([4, 8]);
      expect(dUnused).toBe(null);
    }),
  );

  test(
    'second and third derivatives',
    clean(() => {
      const x = leaf([0.7, -1.2]);
      const [first] = grad([x.sin().sum()], [x], { createGraph: true });
      const [second] = grad([first!.sum()], [x], { createGraph: true });
      const [third] = grad([second!.sum()], [x]);
      const values = (t: Tensor): number[] => Array.from(t.toNumbers());
      [0.7, -1.2].forEach((v, i) => {
        expect(values(first!)[i]).toBeCloseTo(Math.cos(v), 12);
        expect(values(second!)[i]).toBeCloseTo(-Math.sin(v), 12);
        expect(values(third!)[i]).toBeCloseTo(-Math.cos(v), 12);
      });
    }),
  );

  test(
    'through an operator of the door',
    clean(() => {
      const x = leaf([1, 2, 3]);
      const [dx] = grad(
        [
          op('aten::roll')(x, [1], [0])
            .mul(tensor([1, 10, 100]))
            .sum(),
        ],
        [x],
      );
      expect(dx!.toArray()).toEqual([10, 100, 1]);
    }),
  );
});

describe('modes', () => {
  test(
    'noGrad and enableGrad nest, and end with an exception',
    clean(() => {
      const x = leaf([1]);
      expect(isGradEnabled()).toBe(true);
      noGrad(() => {
        expect([isGradEnabled(), x.mul(2).requiresGrad]).toEqual([false, false]);
        enableGrad(() => expect([isGradEnabled(), x.mul(2).requiresGrad]).toEqual([true, true]));
        expect(isGradEnabled()).toBe(false);
        noGrad(() => x.mul_(5));
      });
      expect(() =>
        noGrad(() => {
          throw new Error('stop');
        }),
      ).toThrow('stop');
      expect([isGradEnabled(), x.toArray()]).toEqual([true, [5]]);
    }),
  );

  test(
    'inference: nothing recorded, and never later',
    clean(() => {
      const x = leaf([1, 2]);
      const y = inference(() => inference(() => x.mul(2)));
      expect([isGradEnabled(), y.requiresGrad, y.toArray()]).toEqual([true, false, [2, 4]]);
      expect(() => x.mul(y)).toThrow(/[Ii]nference tensors cannot be saved for backward/);
      expect(() =>
        inference(() => {
          throw new Error('stop');
        }),
      ).toThrow('stop');
      expect(x.mul(2).requiresGrad).toBe(true);
      expect(y.write(new Float64Array([7, 8])).toArray()).toEqual([7, 8]);
    }),
  );
});
