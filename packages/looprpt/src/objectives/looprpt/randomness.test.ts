import { Generator, scope, tensor, zeros } from '@looprpt/engine';
import { describe, expect, test } from 'vitest';
import { mean } from '../../../test-support/slow/slow-readout.js';
import { LatentRandomness } from './randomness.js';

const generators = (noise: number, exits: number) => ({ noise: new Generator(noise), exits: new Generator(exits) });
/** Standard errors that a correct draw may be off; the seeds are fixed, so a test passes always or never. */
const Z = 5;

describe('noise', () => {
  test('has mean 0 and standard deviation σ on every feature, and is added to the state', () => {
    const [sigma, n] = [0.3, 20_000];
    scope(() => {
      const random = new LatentRandomness(sigma, generators(1, 2));
      for (const draw of ['perturb', 'perturbQueries'] as const) {
        const base = tensor([[[5, -7]]], { dtype: 'float64' }).expand(1, n, 2);
        const noise = random[draw](base).sub(base).toArray<number[][][]>()[0]!;
        for (const feature of [0, 1]) {
          const values = noise.map((row) => row[feature]!);
          expect(Math.abs(mean(values))).toBeLessThan((Z * sigma) / Math.sqrt(n));
          const std = Math.sqrt(mean(values.map((x) => x * x)));
          expect(Math.abs(std - sigma)).toBeLessThan((Z * sigma) / Math.sqrt(2 * n));
        }
        const product = noise.map(([a, b]) => a! * b!);
        expect(Math.abs(mean(product))).toBeLessThan((Z * sigma ** 2) / Math.sqrt(n));
      }
    });
  });

  test('σ = 0 gives the state itself and draws nothing', () => {
    scope(() => {
      const made = generators(1, 2);
      const before = made.noise.getState();
      const state = zeros([1, 3, 2]);
      const random = new LatentRandomness(0, made);
      expect(random.perturb(state)).toBe(state);
      expect(random.perturbQueries(state)).toBe(state);
      expect(made.noise.getState()).toEqual(before);
    });
  });

  test.each(['float32', 'float64', 'bfloat16'] as const)('keeps the dtype %s', (dtype) => {
    scope(() => {
      const noisy = new LatentRandomness(0.1, generators(1, 2)).perturb(zeros([2, 3, 4], { dtype }));
      expect(noisy.dtype).toBe(dtype);
      expect(noisy.shape).toEqual([2, 3, 4]);
    });
  });
});

test('passes stop as often as λ says, each by itself', () => {
  const n = 4000;
  const leave = [0.5, 0.05, 0, 1];
  scope(() => {
    const random = new LatentRandomness(0, generators(1, 2));
    // Equal passes side by side are as many draws.
    const wide = tensor([leave.flatMap((p) => Array.from({ length: n }, () => p))]);
    const leaves = random.leaves(0, wide);
    expect(leaves.dtype).toBe('bool');
    const drawn = leaves.toNumbers();
    leave.forEach((p, i) => {
      const share = mean([...drawn.slice(i * n, (i + 1) * n)]);
      expect(Math.abs(share - p)).toBeLessThanOrEqual(Z * Math.sqrt((p * (1 - p)) / n));
    });
  });
});

describe('state', () => {
  /** A few draws of both kinds, in a row. */
  const draws = (random: LatentRandomness): number[] =>
    scope(() => {
      const leave = tensor([[0.4, 0.3, 0.2]]).expand(30, 3);
      return [1, 2].flatMap(() => [
        ...random.perturb(zeros([1, 2, 3])).toNumbers(),
        ...random.leaves(0, leave).toNumbers(),
        ...random.perturbQueries(zeros([1, 4, 3])).toNumbers(),
      ]);
    });

  test('the same seeds give the same draws, other seeds others', () => {
    const first = draws(new LatentRandomness(0.1, generators(1, 2)));
    expect(draws(new LatentRandomness(0.1, generators(1, 2)))).toEqual(first);
    expect(draws(new LatentRandomness(0.1, generators(3, 2)))).not.toEqual(first);
    expect(draws(new LatentRandomness(0.1, generators(1, 3)))).not.toEqual(first);
  });

  test('continues from saved states as if it had not stopped', () => {
    const made = generators(1, 2);
    const random = new LatentRandomness(0.1, made);
    const before = draws(random);
    const saved = { noise: made.noise.getState(), exits: made.exits.getState() };
    const after = draws(random);
    expect(after).not.toEqual(before);
    const fresh = generators(7, 8);
    fresh.noise.setState(saved.noise);
    fresh.exits.setState(saved.exits);
    expect(draws(new LatentRandomness(0.1, fresh))).toEqual(after);
  });

  test('noise and exits do not disturb each other', () => {
    const [both, exitsOnly] = [generators(1, 2), generators(1, 2)];
    scope(() => {
      const leave = tensor([[0.4]]).expand(50, 1);
      const noisy = new LatentRandomness(0.1, both);
      noisy.perturb(zeros([1, 9, 9]));
      const alone = new LatentRandomness(0, exitsOnly);
      expect(noisy.leaves(0, leave).toArray()).toEqual(alone.leaves(0, leave).toArray());
    });
  });
});
