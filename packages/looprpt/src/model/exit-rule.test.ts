import { noGrad, scope, tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exitCdf, exitPdf, exitStep } from './exit.js';
import { ExitDecision, type ExitRule, exitRuleConfig, lastLoop } from './exit-rule.js';

/** The loop at which a token leaves, given what is known after each. */
function loopOf(rule: ExitRule, last: number, evidence: readonly number[], index = 0): number {
  const decision = new ExitDecision(rule, last, index);
  for (let loop = 1; ; loop++) if (decision.leaves(loop, evidence[loop - 1] ?? Number.NaN)) return loop;
}

describe('exit rules', () => {
  it("by the gate leave where the model's own rule reads out, loop by loop instead of afterwards", () => {
    const gates = fc.array(fc.oneof(fc.double({ min: -6, max: 6, noNaN: true }), fc.constantFrom(0, 9, 17, 40)), {
      minLength: 2,
      maxLength: 6,
    });
    fc.assert(
      fc.property(gates, fc.constantFrom(-0.5, 0.25, 0.5, 0.8, 1, 1.5), (gates, threshold) => {
        const expected = noGrad(() =>
          scope(() => exitStep(exitCdf(exitPdf(tensor(gates.map((gate) => [gate])))), threshold).item() + 1),
        );
        expect(loopOf({ rule: 'gate', threshold }, gates.length, gates)).toBe(expected);
      }),
    );
  });

  it('without training leave at the first evidence that is enough, at the last loop at the latest', () => {
    expect(loopOf({ rule: 'hidden-change', tolerance: 0.1 }, 4, [0.5, 0.1, 0.01])).toBe(2);
    expect(loopOf({ rule: 'hidden-change', tolerance: 0 }, 4, [0.5, 0.1, 0.01])).toBe(4);
    expect(loopOf({ rule: 'confidence', probability: 0.9 }, 3, [0.2, 0.95])).toBe(2);
    expect(loopOf({ rule: 'confidence', probability: 0.9 }, 3, [0.2, Number.NaN])).toBe(3);
    expect(loopOf({ rule: 'loops', loops: 2 }, 2, [])).toBe(2);
    expect([0, 1, 2, 3].map((index) => loopOf({ rule: 'replay', loops: [3, 1] }, 3, [], index))).toEqual([3, 1, 3, 1]);
  });

  it('are checked', () => {
    expect(lastLoop({ rule: 'gate', threshold: 0.5 }, { loops: 4 })).toBe(4);
    expect(lastLoop({ rule: 'gate', threshold: 0.5, maxLoops: 2 }, { loops: 4 })).toBe(2);
    expect(lastLoop({ rule: 'replay', loops: [1, 3] }, { loops: 4 })).toBe(3);
    expect(() => lastLoop({ rule: 'replay', loops: [5] }, { loops: 4 })).toThrow(/5 loops are asked for/);
    expect(exitRuleConfig.safeParse({ rule: 'loops', loops: 0 }).success).toBe(false);
    expect(exitRuleConfig.safeParse({ rule: 'gate', threshold: 0.5, tau: 1 }).success).toBe(false);
  });
});
