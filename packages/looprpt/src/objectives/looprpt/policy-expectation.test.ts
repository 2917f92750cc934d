/**
 * The sampled policy gradient is an unbiased estimate of the closed form: with rewards from the table, no noise and no
 * normalisation, its average over many draws approaches the gradient of −Σ_k π(k) R(k), within its own standard error.
 */
import { Generator, scope } from '@looprpt/engine';
import { expect, test } from 'vitest';
import { type LoopRptOverrides, loopRptCase, productStep, withModels } from '../../../test-support/looprpt-case.js';
import { mean } from '../../../test-support/slow/slow-readout.js';
import { random } from '../../../test-support/slow/tiny-model.js';
import { type UpstreamGradients, upstreamGradients } from '../../../test-support/slow-bridge.js';
import { LatentRandomness } from './randomness.js';
import { loopRptLoss } from './step.js';

const policyOnly = { alpha: 1, beta: 0, gamma: 0, delta: 0, sigma: 0, advantage: 'none', rewardFrom: 'table' } as const;
/** Standard errors that a correct average may be off; among some sixty readings 5 are not reached by chance. */
const Z = 5;

/** Every element of the gate; every other tensor along the closed form's own direction, and along a random one. */
function readings(gradients: UpstreamGradients, closed: UpstreamGradients): Map<string, number> {
  const numbers = random(3);
  const read = new Map<string, number>();
  for (const [name, gradient] of gradients) {
    const expected = closed.get(name);
    if (!gradient || !expected) continue;
    if (name.includes('early_exit_gate')) {
      gradient.forEach((g, i) => {
        read.set(`${name}[${i}]`, g);
      });
    } else {
      const along = (direction: (i: number) => number): number =>
        gradient.reduce((sum, g, i) => sum + g * direction(i), 0);
      const length = Math.hypot(...expected);
      read.set(`${name} along`, length === 0 ? 0 : along((i) => expected[i]! / length));
      read.set(`${name} across`, along(numbers.normal));
    }
  }
  return read;
}

test.each<{ overrides: LoopRptOverrides; draws: number }>([
  { overrides: { rollouts: 'hard', rolloutCount: 48 }, draws: 50 },
  { overrides: { rollouts: 'full', rolloutCount: 8, policyGradient: 'backbone' }, draws: 45 },
])('$overrides, $draws draws', ({ overrides, draws }) => {
  const sampled = loopRptCase({ ...policyOnly, ...overrides });
  const closed = loopRptCase({ ...policyOnly, ...overrides, policy: 'closed' });
  const exact = productStep(closed).gradients;
  const expected = readings(exact, exact);
  const latent = new LatentRandomness(0, { noise: new Generator(1), exits: new Generator(2) });
  const seen = withModels(sampled, ({ student, teacher, batch }) =>
    Array.from({ length: draws }, () =>
      scope(() => {
        const { loss } = loopRptLoss(student, teacher, batch, sampled.config, latent);
        return readings(upstreamGradients(student, loss), exact);
      }),
    ),
  );
  const clear: string[] = [];
  for (const [name, value] of expected) {
    const values = seen.map((reading) => reading.get(name)!);
    const average = mean(values);
    const variance = values.reduce((sum, x) => sum + (x - average) ** 2, 0) / (draws - 1);
    const standardError = Math.sqrt(variance / draws);
    expect(Math.abs(average - value), name).toBeLessThanOrEqual(Z * standardError);
    if (Math.abs(value) > Z * standardError && value !== 0) clear.push(name);
  }
  // The bound is worth something only where the gradient stands out from it.
  expect(clear.length).toBeGreaterThan(3);
});
