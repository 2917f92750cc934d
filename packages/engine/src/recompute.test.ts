import fc from 'fast-check';
import { expect, test } from 'vitest';
import { collectGarbage } from '../test-support/collect-garbage.js';
import { backward, cut, grad, liveTensors, noGrad, recompute, scope, type Tensor, tensor } from './index.js';

const leafOf = (values: readonly number[]): Tensor => {
  const x = tensor(values, { dtype: 'float64' });
  x.requiresGrad = true;
  return x;
};

/** A chain of parts over one weight, whose states are also read by the loss, each part recomputed or not. */
function gradients(part: (body: (x: Tensor) => Tensor, x: Tensor) => Tensor, parts: number, fork: boolean): number[][] {
  return scope(() => {
    const weight = leafOf([0.3, -0.7, 1.1]);
    const start = leafOf([0.5, 0.2, -0.4]);
    const states: Tensor[] = [];
    let x = start.exp();
    for (let i = 0; i < parts; i++) {
      x = part((input) => input.mul(weight).sigmoid().add(input.square().mul(0.3)), x);
      states.push(x);
      if (fork) {
        const noisy = x.add(0.1);
        states.push(
          part((input) => input.mul(weight).exp(), noisy),
          noisy.square(),
        );
      }
    }
    const loss = states.map((state, i) => state.mul(i + 1).sum()).reduce((sum, term) => sum.add(term));
    backward(loss);
    return [weight.grad!, start.grad!].map((g) => Array.from(g.toNumbers()));
  });
}

test('the gradients of the plain computation, whatever the depth, with states that are read on the way', async () => {
  await collectGarbage();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.boolean(), (parts, fork) => {
      const before = liveTensors();
      const plain = gradients((body, x) => body(x), parts, fork);
      const ours = gradients((body, x) => recompute(body, x), parts, fork);
      for (const [i, value] of ours.flat().entries()) expect(value).toBeCloseTo(plain.flat()[i]!, 12);
      expect(liveTensors()).toBe(before);
    }),
    { numRuns: 20 },
  );
});

test('the part runs without a graph first, and once more in the backward pass', () => {
  scope(() => {
    const w = leafOf([2]);
    const recorded: boolean[] = [];
    const y = recompute(
      (x) => {
        const out = x.mul(w);
        recorded.push(out.requiresGrad);
        return out;
      },
      tensor([3], { dtype: 'float64' }),
    );
    expect(y.toArray()).toEqual([6]);
    expect(recorded).toEqual([false]);
    backward(y.square().sum());
    expect(recorded).toEqual([false, true]);
    expect(w.grad!.toArray()).toEqual([36]);
  });
});

test('a cut lets a graph that keeps values be read by a recomputed part and by the loss', () => {
  const run = (part: typeof recompute, separate: (x: Tensor) => Tensor): number => {
    const x = leafOf([0.4]);
    const shared = separate(x.exp());
    const y = part((input) => input.sin(), shared);
    backward(y.mul(shared.square()).sum());
    return x.grad!.item();
  };
  scope(() => {
    const plain = run(
      (body, x) => body(x),
      (x) => x,
    );
    expect(run(recompute, cut)).toBeCloseTo(plain, 14);
    expect(() => run(recompute, (x) => x)).toThrow('second time');
  });
});

test('parts inside parts', () => {
  scope(() => {
    const x = leafOf([0.7]);
    const inner = (y: Tensor): Tensor => recompute((z) => z.sin(), y.square());
    backward(recompute((y) => inner(y).exp(), x).sum());
    expect(x.grad!.item()).toBeCloseTo(Math.exp(Math.sin(0.49)) * Math.cos(0.49) * 1.4, 14);
  });
});

test('two losses, each with its own parts, in either order; a retained graph twice', () => {
  scope(() => {
    const x = leafOf([0.7]);
    const first = recompute((y) => y.square(), x);
    const second = recompute((y) => y.pow(3), x);
    backward(first.sum(), undefined, { retainGraph: true });
    expect(x.grad!.item()).toBeCloseTo(1.4, 14);
    backward(first.sum());
    expect(x.grad!.item()).toBeCloseTo(2.8, 14);
    x.grad = null;
    backward(second.sum());
    expect(x.grad!.item()).toBeCloseTo(3 * 0.49, 14);
  });
});

test('where nothing is recorded it is a plain call', () => {
  scope(() => {
    const x = leafOf([2]);
    const y = noGrad(() => recompute((z) => z.square(), x));
    expect(y.requiresGrad).toBe(false);
    expect(noGrad(() => cut(x)).handle).toBe(x.handle);
  });
});

test('one that is never differentiated is forgotten with its scope; grad() does not pass it by in silence', async () => {
  await collectGarbage();
  const before = liveTensors();
  scope(() => {
    const x = leafOf([2]);
    const y = scope(() => recompute((z) => z.square(), x));
    expect(() => grad([y.sum()], [x])).toThrow('grad() does not go through what is recomputed');
  });
  expect(liveTensors()).toBe(before);
  scope(() => {
    const x = leafOf([2]);
    expect(grad([x.square().sum()], [x])[0]!.item()).toBe(4);
  });
});
