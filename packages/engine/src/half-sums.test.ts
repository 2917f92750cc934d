/**
 * Sums of many equal numbers in half precision, wherever an operator or its gradient makes one. bfloat16 has 8 bits: a sum that is
 * rounded at every addition stands still at 256 contributions. Float32 sums, rounded once, give what is expected here exactly.
 */
import { describe, expect, test } from 'vitest';
import {
  backward,
  embedding,
  full,
  fusedLinear,
  fusedNextTokenEntropy,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedTargetLogProb,
  ones,
  scope,
  type Tensor,
  zeros,
} from './index.js';

/** More than 256, and a number that both dtypes hold. */
const N = 1000;

const numbersOf = (x: Tensor): number[] => [...new Set(x.detach().toNumbers())];

/** The distinct elements of the gradients of `leaves` for the sum of what `run` makes of them. */
function gradients(leaves: Tensor[], run: (leaves: Tensor[]) => Tensor): number[][] {
  for (const leaf of leaves) leaf.requiresGrad = true;
  backward(run(leaves).to({ dtype: 'float32' }).sum());
  return leaves.map((leaf) => numbersOf(leaf.grad!));
}

describe.each(['bfloat16', 'float16'] as const)('%s', (dtype) => {
  const type = { dtype } as const;
  const check = (name: string, body: () => void): void => test(name, () => scope(body));
  // libtorch 1.13 has no products of float16 on the CPU.
  const checkProduct = dtype === 'bfloat16' ? check : () => {};

  check("embedding's gradient", () => {
    const ids = zeros([N], { dtype: 'int64' });
    expect(gradients([ones([1, 3], type)], ([w]) => embedding(w!, ids))).toEqual([[N]]);
  });

  checkProduct('a product, and the gradients of both its factors', () => {
    const [x, w] = [ones([N, N], type), ones([N, N], type)];
    expect(numbersOf(fusedLinear(x, w))).toEqual([N]);
    expect(gradients([x, w], ([x, w]) => fusedLinear(x!, w!))).toEqual([[N], [N]]);
  });

  check('a norm over many elements, and the gradients of weights over many rows', () => {
    expect(numbersOf(fusedRmsNorm(full([2, N], 3, type), ones([N], type), 0))).toEqual([1]);
    expect(gradients([ones([2], type)], ([w]) => fusedRmsNorm(ones([N, 2], type), w!, 0))).toEqual([[N]]);
    // The sum is of size 2 and its norm of size 1, so the branch's weight has no part in the second result.
    const run = ([v, w]: Tensor[]): Tensor => {
      const [sum, normed] = fusedResidualNorm(ones([N, 2], type), ones([N, 2], type), v!, w!, 0);
      return sum.add(normed);
    };
    expect(gradients([ones([2], type), ones([2], type)], run)).toEqual([[N], [N]]);
  });

  checkProduct('the read-outs: a normaliser of many words, a weight that many rows have as their target', () => {
    const words = zeros([N, 4], type);
    const rows = ones([2, 4], type);
    const [logProb] = numbersOf(fusedTargetLogProb(rows, words, zeros([2], { dtype: 'int64' })));
    expect(logProb).toBeCloseTo(-Math.log(N), 2);
    expect(numbersOf(fusedNextTokenEntropy(rows, words))[0]).toBeCloseTo(Math.log(N), 2);
    const two = zeros([2, 4], type);
    // p = ½ for both words, so each row adds ½ to the target's and takes ½ from the other's.
    const targets = zeros([N], { dtype: 'int64' });
    const [[hit, missed]] = gradients([two], ([w]) => fusedTargetLogProb(ones([N, 4], type), w!, targets)) as [
      number[],
    ];
    expect([hit, missed]).toEqual([N / 2, -N / 2]);
  });
});
