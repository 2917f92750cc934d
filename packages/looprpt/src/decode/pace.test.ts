/** Pace against an invented machine, by its own clock: what trying drafts costs where they do not pay, and what it finds where they do. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../base/rng.js';
import { Pace } from './pace.js';

interface Machine {
  /** Milliseconds of a pass without drafts, once the code is warm. */
  pass: number;
  /** How much longer the first pass takes than a warm one; it fades over some hundred milliseconds. */
  cold: number;
  /** What a token costs beside one without drafts, by bound. */
  costs: ReadonlyMap<number, number>;
  /** Relative spread of a pass's time. */
  spread: number;
  /** Others use it: every 80 ms or so it stalls, by 15 ms in the mean, and it is slower now and then. */
  isShared?: boolean;
}

const LOOPS = 4;
const SEQUENCES = 4;

/** Tokens a second from `from` to `to` milliseconds, and what the machine would give without drafts. */
function rate(
  { pass, cold, costs, spread, isShared = false }: Machine,
  from: number,
  to: number,
  seed = 3,
): { made: number; plain: number } {
  let now = 0;
  const pace = new Pace(() => now);
  const rng = Rng.fromSeed(seed);
  const exponential = (mean: number): number => -Math.log((1 + rng.below(1000)) / 1001) * mean;
  let slowness = 1;
  let changes = 0;
  let tokens = 0;
  let made = 0;
  let owed = 0;
  let plain = 0;
  while (now < to) {
    const bound = pace.begin(SEQUENCES);
    const warmth = 1 + cold * Math.exp(-now / 300);
    const before = now;
    const was = slowness;
    now += pass * warmth * slowness * (1 + spread * (rng.below(1000) / 1000 - 0.5));
    const alone = now;
    if (isShared && rng.below(80_000) < 1000 * pass) now += exponential(15);
    if (isShared && now > changes) {
      slowness = rng.below(10) < 3 ? 1.6 : 1;
      changes = now + exponential(200);
    }
    // So many tokens a pass that one costs what is said.
    owed += SEQUENCES / LOOPS / (Number.isFinite(bound) ? costs.get(bound)! : 1);
    const certain = Math.floor(owed - tokens);
    tokens += certain;
    pace.end(certain);
    if (before < from) continue;
    made += certain;
    plain += ((alone - before) / (pass * warmth * was)) * (SEQUENCES / LOOPS);
  }
  return { made, plain };
}

const bounds = [0.3, 0.55, 0.75, 0.9];
const machine = fc.record({
  pass: fc.constantFrom(0.08, 0.5, 3, 40),
  cold: fc.constantFrom(0, 2),
  spread: fc.constantFrom(0, 0.2),
});

describe('how sure drafts must be', () => {
  it('loses little where they do not pay, whatever they cost', () => {
    const cost = fc.double({ min: 1, max: 2, noNaN: true });
    fc.assert(
      fc.property(machine, fc.tuple(cost, cost, cost, cost), (of, costs) => {
        const one = { ...of, costs: new Map(bounds.map((bound, b) => [bound, costs[b]!])) };
        const { made, plain } = rate(one, 0, Math.max(20_000, 4000 * of.pass));
        expect(made / plain).toBeGreaterThan(0.97);
      }),
      { numRuns: 40 },
    );
  });

  it('finds what pays, whichever bound it is', () => {
    fc.assert(
      fc.property(machine, fc.nat(3), fc.double({ min: 0.5, max: 0.85, noNaN: true }), (of, best, cost) => {
        // The next bold ones pay less, as with real drafts.
        const costs = new Map(bounds.map((bound, b) => [bound, Math.min(1.1, cost + 0.1 * Math.abs(b - best))]));
        const length = Math.max(20_000, 2000 * of.pass);
        const { made, plain } = rate({ ...of, costs }, length / 2, length);
        expect(made / plain).toBeGreaterThan(1 + 0.7 * (1 / cost - 1));
      }),
      { numRuns: 40 },
    );
  });

  it('finds it on a machine that stalls, and loses little there', () => {
    const mean = (cost: number, pass: number): number => {
      const of = { pass, cold: 2, spread: 0.2, isShared: true, costs: new Map(bounds.map((bound) => [bound, cost])) };
      const rates = Array.from({ length: 20 }, (_, seed) => rate(of, 3000, 9000, seed));
      return rates.reduce((sum, { made, plain }) => sum + made / plain / rates.length, 0);
    };
    for (const pass of [0.08, 0.3, 1]) {
      expect(mean(0.6, pass)).toBeGreaterThan(1 + 0.7 * (1 / 0.6 - 1));
      expect(mean(0.8, pass)).toBeGreaterThan(1 + 0.6 * (1 / 0.8 - 1));
      expect(mean(1.3, pass)).toBeGreaterThan(0.97);
    }
  });
});
