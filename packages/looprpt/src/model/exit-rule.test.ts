import { embedding, noGrad, scope, stack, tensor } from '@looprpt/engine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tinyLoopLM } from '../../test-support/eval-models.js';
import { exitCdf, exitPdf, exitStep } from './exit.js';
import {
  ExitDecision,
  type ExitOption,
  type ExitRule,
  exitRule,
  exitRuleConfig,
  exitRuleOf,
  lastLoop,
  type SignalRule,
  signalOf,
} from './exit-rule.js';
import { exitSteps, signals } from './exit-signal.js';

/** The loop at which a token leaves, given what is known after each. */
function loopOf(rule: ExitRule, last: number, numbers: readonly number[], index = 0): number {
  const decision = new ExitDecision(rule, last, index);
  for (let loop = 1; ; loop++) if (decision.leaves(loop, numbers[loop - 1] ?? Number.NaN)) return loop;
}

describe('exit rules, loop by loop', () => {
  it("by the gate leave where the model's own rule reads out", () => {
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

  it('without training leave at the first signal that is enough, at the last loop at the latest', () => {
    expect(loopOf({ rule: 'hidden-change', threshold: 0.1 }, 4, [0.5, 0.1, 0.01])).toBe(2);
    expect(loopOf({ rule: 'hidden-change', threshold: 0 }, 4, [0.5, 0.1, 0.01])).toBe(4);
    expect(loopOf({ rule: 'confidence', threshold: 0.9 }, 3, [0.2, 0.95])).toBe(2);
    expect(loopOf({ rule: 'confidence', threshold: 0.9 }, 3, [0.2, Number.NaN])).toBe(3);
    expect(loopOf({ rule: 'entropy', threshold: 0.4 }, 3, [2, 0.4])).toBe(2);
    expect(loopOf({ rule: 'loops', loops: 2 }, 2, [])).toBe(2);
    expect([0, 1, 2, 3].map((index) => loopOf({ rule: 'replay', loops: [3, 1] }, 3, [], index))).toEqual([3, 1, 3, 1]);
  });

  it('leave where the tensors of all loops say afterwards, by every rule, with and without a cap', () => {
    const { model } = tinyLoopLM(5);
    const ids = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
    const indices = [...ids.keys()];
    const thresholds: Record<SignalRule, number[]> = {
      gate: [0, 0.4, 0.6, 1, 2],
      'hidden-change': [0, 0.3, 0.6, 0.9, 9],
      confidence: [0, 0.2, 0.3, 0.5, 1],
      entropy: [0, 1.5, 1.9, 2.2, 9],
    };
    const seen = new Map<SignalRule, Set<number>>();
    for (const maxLoops of [1, 2, 3])
      for (const [name, values] of Object.entries(thresholds))
        for (const threshold of values) {
          const rule = { rule: name as SignalRule, threshold, maxLoops };
          const { steps, numbers } = noGrad(() =>
            scope(() => {
              const idsBT = tensor([ids], { dtype: 'int64' });
              const states = model.states({ idsBT }, { loops: maxLoops }).map((xBTE) => xBTE.select(0, 0));
              const embeddedTE = embedding(model.weights.embedding, idsBT).select(0, 0);
              const gates = () => stack(states.map((xTE) => model.gateLogits(xTE)));
              const values = rule.rule === 'gate' ? gates() : signals(rule.rule, model, states, embeddedTE);
              return {
                steps: exitSteps(rule, model, states, embeddedTE, indices).toArray<number[]>(),
                numbers: values.toArray<number[][]>(),
              };
            }),
          );
          const loops = indices.map((t) =>
            loopOf(
              rule,
              lastLoop(rule, model.config),
              numbers.map((row) => row[t]!),
              t,
            ),
          );
          expect(loops).toEqual(steps.map((step) => step + 1));
          if (maxLoops === 3) seen.set(rule.rule, new Set([...(seen.get(rule.rule) ?? []), ...loops]));
        }
    // The thresholds lie where they part the tokens.
    for (const [rule, loops] of seen) expect([rule, [...loops].sort()]).toEqual([rule, [1, 2, 3]]);
    for (const rule of [
      { rule: 'loops', loops: 2 },
      { rule: 'replay', loops: [2, 3, 1] },
    ] satisfies ExitRule[]) {
      expect(signalOf(rule)).toBeNull();
      const steps = scope(() => {
        const states = [0, 1, 2].map(() => tensor([[0]]));
        return exitSteps(rule, model, states, states[0]!, indices).toArray<number[]>();
      });
      expect(indices.map((t) => loopOf(rule, lastLoop(rule, model.config), [], t))).toEqual(steps.map((s) => s + 1));
    }
    model.dispose();
  });
});

describe('the rule of a call', () => {
  const config = { loops: 3, exitThreshold: 0.9, exitLoop: null };
  const fixed = { ...config, exitLoop: 2 };

  it('takes the configuration’s defaults, and lets the user overrule them', () => {
    expect(exitRuleOf(config)).toEqual({ rule: 'gate', threshold: 0.9 });
    expect(exitRuleOf(config, { threshold: 0.4 })).toEqual({ rule: 'gate', threshold: 0.4 });
    expect(exitRuleOf(config, { maxLoops: 2 })).toEqual({ rule: 'loops', loops: 2 });
    expect(exitRuleOf(config, { threshold: 0.4, maxLoops: 2 })).toEqual({ rule: 'gate', threshold: 0.4, maxLoops: 2 });
    expect(exitRuleOf(fixed)).toEqual({ rule: 'loops', loops: 2 });
    expect(exitRuleOf(fixed, { threshold: 0.4 })).toEqual({ rule: 'gate', threshold: 0.4 });
    expect(exitRuleOf(fixed, { maxLoops: 3 })).toEqual({ rule: 'loops', loops: 3 });
    expect(exitRuleOf({ ...config, exitThreshold: null })).toEqual({ rule: 'loops', loops: 3 });
    expect(exitRuleOf(fixed, { rule: 'loops' })).toEqual({ rule: 'loops', loops: 3 });
    expect(exitRuleOf(config, { rule: 'entropy', threshold: 1 })).toEqual({ rule: 'entropy', threshold: 1 });
  });

  it('refuses what the model cannot follow', () => {
    expect(() => exitRuleOf(config, { maxLoops: 4 })).toThrow(/^max loops: 4 is not a whole number from 1 to 3/);
    expect(() => exitRuleOf(config, { threshold: Number.NaN })).toThrow(/^exit threshold: not a number/);
    expect(() => exitRuleOf(config, { rule: 'confidence' })).toThrow(/"confidence": needs an exit threshold/);
    expect(() => exitRuleOf(config, { rule: 'confidence', threshold: 2 })).toThrow(/^exit threshold: /);
    expect(() => lastLoop({ rule: 'replay', loops: [5] }, { loops: 4 })).toThrow(/5 loops are asked for/);
  });

  it('may be written short', () => {
    const written: [ExitOption, ExitRule][] = [
      [{ gate: 0.7 }, { rule: 'gate', threshold: 0.7 }],
      [{ 'hidden-change': 0.1 }, { rule: 'hidden-change', threshold: 0.1 }],
      [
        { confidence: 0.9, maxLoops: 3 },
        { rule: 'confidence', threshold: 0.9, maxLoops: 3 },
      ],
      [{ loops: 2 }, { rule: 'loops', loops: 2 }],
      [
        { rule: 'entropy', threshold: 1 },
        { rule: 'entropy', threshold: 1 },
      ],
    ];
    for (const [option, rule] of written) expect(exitRule(option)).toEqual(rule);
    for (const wrong of [{}, { gate: 0.7, entropy: 1 }, { doors: 1 }, { loops: 1.5 }, { loops: 2, maxLoops: 1 }])
      expect(() => exitRule(wrong as ExitOption)).toThrow(/^exit/);
  });

  it('is checked', () => {
    expect(lastLoop({ rule: 'gate', threshold: 0.5 }, { loops: 4 })).toBe(4);
    expect(lastLoop({ rule: 'gate', threshold: 0.5, maxLoops: 2 }, { loops: 4 })).toBe(2);
    expect(lastLoop({ rule: 'replay', loops: [1, 3] }, { loops: 4 })).toBe(3);
    expect(exitRuleConfig.safeParse({ rule: 'loops', loops: 0 }).success).toBe(false);
    expect(exitRuleConfig.safeParse({ rule: 'gate', threshold: 0.5, tau: 1 }).success).toBe(false);
  });
});
