import { backward, Generator, scope, type Tensor, tensor } from '@looprpt/engine';
import { expect, test } from 'vitest';
import { random } from '../../../test-support/slow/tiny-model.js';
import { exitLogPdf } from '../../model/exit.js';
import type { HardTokens } from './hard-tokens.js';
import { LatentRandomness, type Randomness } from './randomness.js';
import { SampledExits } from './sampled-exits.js';

const NOBODY = {} as HardTokens;
/** Standard errors that a correct draw may be off; the seeds are fixed, so the test passes always or never. */
const Z = 5;

/** All loops but the last. */
function walk(gateLogitsKGM: Tensor, chance: Randomness): SampledExits {
  const [K, G, M] = gateLogitsKGM.shape as [number, number, number];
  const exits = new SampledExits([G, M], { loops: K, device: 'cpu' });
  for (let loop = 0; loop < K - 1; loop++) exits.after(loop, gateLogitsKGM.select(0, loop), chance, NOBODY);
  return exits;
}

const chance = (): LatentRandomness => new LatentRandomness(0, { noise: new Generator(1), exits: new Generator(2) });

test('exits come as often as π says, for every pass by itself', () => {
  const n = 4000;
  // By loop; the third pass is sure to stop at loop 2, the fourth to go to the end.
  const logits = [
    [0, -2, -40, -40, 1],
    [0.5, 0, 40, -40, -1],
    [1, 1, 0, -40, 0.3],
    [9, -9, 0, 0, 5],
  ];
  scope(() => {
    const wide = tensor(logits.map((row) => [row.flatMap((a) => Array.from({ length: n }, () => a))]));
    const { exitsGM } = walk(wide, chance());
    const exits = exitsGM.toNumbers();
    const pdf = exitLogPdf(tensor(logits, { dtype: 'float64' }))
      .exp()
      .toArray<number[][]>();
    pdf.forEach((ofLoop, k) => {
      ofLoop.forEach((p, i) => {
        const share = exits.slice(i * n, (i + 1) * n).filter((exit) => exit === k).length / n;
        expect(Math.abs(share - p)).toBeLessThanOrEqual(Z * Math.sqrt((p * (1 - p)) / n) + 1e-12);
      });
    });
  });
});

test('the log-probability of the exit is that of the whole distribution, and so is its gradient', () => {
  scope(() => {
    const numbers = random(5);
    const values = Array.from({ length: 4 }, () =>
      Array.from({ length: 6 }, () => Array.from({ length: 7 }, () => 3 * numbers.normal())),
    );
    const logits = (): Tensor => {
      const leaf = tensor(values, { dtype: 'float64' });
      leaf.requiresGrad = true;
      return leaf;
    };
    const [ours, whole] = [logits(), logits()];
    const { exitsGM, logProbsGM, runningGM } = walk(ours, chance());
    const chosenGM = exitLogPdf(whole).gather(0, exitsGM.unsqueeze(0)).squeeze(0);
    const apart = (a: Tensor, b: Tensor): number => a.sub(b).abs().flatten().amax(0).item();
    expect(apart(logProbsGM, chosenGM)).toBeLessThan(1e-12);
    backward(logProbsGM.sum());
    backward(chosenGM.sum());
    expect(apart(ours.grad!, whole.grad!)).toBeLessThan(1e-12);
    expect(runningGM.toArray()).toEqual(exitsGM.eq(3).toArray());
    expect(new Set(exitsGM.toNumbers()).size).toBe(4);
  });
});
