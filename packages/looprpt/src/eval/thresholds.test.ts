import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ExitDecision, SIGNAL_RULES, type SignalRule } from '../model/exit-rule.js';
import { exitsBySignal } from './thresholds.js';

it('a table’s exits are those of the rule, token by token and loop by loop', () => {
  const rules = (Object.keys(SIGNAL_RULES) as SignalRule[]).filter((rule) => rule !== 'gate');
  const number = fc.oneof(fc.double({ min: 0, max: 2, noNaN: true }), fc.constantFrom(0, 0.5, 1, Number.NaN));
  const table = fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }))
    .chain(([K, N]) => fc.array(fc.array(number, { minLength: N, maxLength: N }), { minLength: K, maxLength: K }));
  fc.assert(
    fc.property(fc.constantFrom(...rules), table, fc.constantFrom(0, 0.3, 0.5, 1), (rule, numbers, threshold) => {
      const isAbove = SIGNAL_RULES[rule].stops === 'above';
      const signal = numbers.map((row) => Float32Array.from(row, (value) => (isAbove ? value : -value)));
      const exits = exitsBySignal(signal, isAbove ? threshold : -threshold);
      exits.forEach((exit, n) => {
        const decision = new ExitDecision({ rule, threshold }, numbers.length, n);
        expect(numbers.findIndex((row, k) => decision.leaves(k + 1, row[n]!)) + 1).toBe(exit);
      });
    }),
  );
});
