/** The plan: within the time, equal time for every arm, no more passes than are good. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { armStepSeconds, chooseSize, type Measured, MOST_PASSES, planSteps, SIZES, stepsAfterBase } from './budget.js';

const measured: Measured = { seconds: 1200, tokensPerStep: 2048, corpusTokens: 5e6, heldOutTokens: 61_440 };

it('fits into the time, gives every arm as much of it, and reads the corpus four times at most', () => {
  const seconds = fc.double({ min: 0.01, max: 3, noNaN: true });
  fc.assert(
    fc.property(
      seconds,
      fc.array(seconds, { minLength: 1, maxLength: 5 }),
      fc.double({ min: 1e4, max: 1e8, noNaN: true }),
      (base, arms, corpusTokens) => {
        const plan = planSteps({ ...measured, corpusTokens }, base, arms);
        const most = Math.max(1, (MOST_PASSES * corpusTokens) / measured.tokensPerStep);
        for (const steps of [plan.base, ...plan.arms]) expect(steps).toBeLessThanOrEqual(most);
        const times = plan.arms.map((steps, i) => steps * arms[i]!);
        // Whole steps only, and one at least.
        expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(Math.max(...arms));
        if (Math.min(plan.base, ...plan.arms) > 1) expect(plan.seconds).toBeLessThanOrEqual(measured.seconds);
      },
    ),
  );
});

it('gives all the time to the arms where there is a base', () => {
  const own = planSteps(measured, null, [1, 1]);
  expect(own.base).toBe(0);
  expect(own.arms[0]).toBeGreaterThan(2 * planSteps(measured, 1, [1, 1]).arms[0]!);
});

it('chooses the largest model that sees enough tokens, else the smallest', () => {
  const weights = SIZES.map((_, i) => 1e5 * 4 ** i);
  const speed = weights.map((count) => count / 2e6);
  const at = (seconds: number, corpusTokens = 1e9): number =>
    chooseSize({ ...measured, seconds, corpusTokens, heldOutTokens: 0 }, speed, weights, 5);
  expect(at(1)).toBe(0);
  const sizes = [60, 600, 6000, 60_000, 600_000].map((seconds) => at(seconds));
  expect(sizes).toEqual(sizes.toSorted());
  expect(sizes.at(-1)).toBeGreaterThan(sizes[0]!);
  // A short text is never for a large model, whatever the time.
  expect(at(600_000, 1e5)).toBe(0);
});

it('after a slow base, or a quick one, gives the arms what fits into the rest at that speed', () => {
  const [baseStep, armSteps] = [0.2, [0.2, 0.4, 1]];
  const plan = planSteps(measured, baseStep, armSteps);
  const after = (slower: number) =>
    stepsAfterBase(measured, plan, { baseStep, armSteps, left: measured.seconds }, slower * plan.base * baseStep);
  expect(after(1).arms).toEqual(plan.arms);
  const slow = after(1.5);
  expect(slow.slower).toBeCloseTo(1.5);
  const spent = (steps: readonly number[]): number[] => steps.map((count, i) => count * armSteps[i]! * 1.5);
  const total = 1.5 * plan.base * baseStep + spent(slow.arms).reduce((sum, seconds) => sum + seconds, 0);
  expect(total).toBeLessThan(measured.seconds);
  expect(Math.max(...spent(slow.arms)) - Math.min(...spent(slow.arms))).toBeLessThanOrEqual(1.5);
  for (const [i, steps] of slow.arms.entries()) expect(steps).toBeLessThan(plan.arms[i]!);
  for (const [i, steps] of after(0.5).arms.entries()) expect(steps).toBeGreaterThan(plan.arms[i]!);
  // Where nothing is left there is a verdict all the same.
  expect(after(4).arms).toEqual([1, 1, 1]);
});

it('tells arms apart by their processor time, whatever else the machine did while one was measured', () => {
  const quiet = (seconds: number) => ({ wall: seconds, cpu: seconds });
  expect(armStepSeconds([quiet(1), quiet(2)], quiet(3))).toEqual([1, 2]);
  const [a, b] = armStepSeconds([{ wall: 4, cpu: 1 }, quiet(1)], quiet(1)) as [number, number];
  expect(a).toBe(b);
  expect(a).toBe(2);
  expect(armStepSeconds([quiet(1), quiet(2)], null)).toEqual([1, 2]);
});
