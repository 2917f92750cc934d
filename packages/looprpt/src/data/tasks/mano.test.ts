import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { documentAt, taskConfig } from './index.js';

/** Value and number of operations of a prefix expression, by a stack from the right; letters are read as numbers. */
function evaluate(words: readonly string[], modulus: number): { value: number; operations: number } {
  const stack: number[] = [];
  let operations = 0;
  for (const word of words.toReversed()) {
    if (/^[a-z]+$/.test(word)) {
      const digits = [...word].map((letter) => letter.charCodeAt(0) - 97);
      stack.push(digits.length === 1 ? digits[0]! : 26 + digits[0]! * 26 + digits[1]!);
      continue;
    }
    const [left, right] = [stack.pop()!, stack.pop()!];
    operations++;
    const value = word === '+' ? left + right : word === '-' ? left - right : left * right;
    stack.push(((value % modulus) + modulus) % modulus);
  }
  expect(stack).toHaveLength(1);
  expect(stack[0]).toBeLessThan(modulus);
  return { value: stack[0]!, operations };
}

function problemsOf(text: string): Array<{ expression: string[]; answer: string }> {
  expect(text.startsWith('mano ')).toBe(true);
  return text
    .slice(5)
    .split(' , ')
    .map((problem) => {
      const [expression, answer] = problem.split(' = ') as [string, string];
      return { expression: expression.split(' '), answer };
    });
}

describe('mano', () => {
  test('every value is right, and the loss covers exactly the values', () => {
    const settings = fc.record({
      modulus: fc.integer({ min: 11, max: 702 }),
      minOperations: fc.integer({ min: 1, max: 4 }),
      maxOperations: fc.integer({ min: 4, max: 12 }),
      problems: fc.integer({ min: 1, max: 6 }),
    });
    fc.assert(
      fc.property(settings, fc.nat(), (setting, seed) => {
        const document = documentAt(taskConfig('mano', setting), seed, 'train', 0);
        const problems = problemsOf(document.text);
        expect(problems).toHaveLength(setting.problems);
        const levels = problems.map(({ expression, answer }) => {
          const { value, operations } = evaluate(expression, setting.modulus);
          expect(evaluate([answer], setting.modulus).value).toBe(value);
          expect(operations).toBeGreaterThanOrEqual(setting.minOperations);
          expect(operations).toBeLessThanOrEqual(setting.maxOperations);
          return operations;
        });
        expect(document.meta).toEqual({ task: 'mano', difficulty: Math.max(...levels), levels: levels.join(' ') });
        expect(document.loss!.map(([start, end]) => document.text.slice(start, end))).toEqual(
          problems.map(({ answer }) => answer),
        );
        for (const [start] of document.loss!) expect(document.text.slice(start - 3, start)).toBe(' = ');
      }),
      { numRuns: 60 },
    );
  });

  test('every number of operations comes up', () => {
    const config = taskConfig('mano', { problems: 200 });
    const levels = String(documentAt(config, 0, 'heldout', 0).meta?.levels).split(' ');
    for (const level of ['1', '2', '3', '4', '5', '6']) {
      expect(levels.filter((other) => other === level).length).toBeGreaterThan(10);
    }
  });

  test('no expression occurs in two splits, not even with its operands exchanged', () => {
    const config = taskConfig('mano', { modulus: 11, maxOperations: 1, problems: 10 });
    const expressions = (split: 'train' | 'heldout' | 'tune', seed: number) => {
      const found = new Set<string>();
      for (let index = 0; index < 60; index++) {
        for (const { expression } of problemsOf(documentAt(config, seed, split, index).text)) {
          const [operator, left, right] = expression as [string, string, string];
          found.add(`${operator} ${left} ${right}`);
          if (operator !== '-') found.add(`${operator} ${right} ${left}`);
        }
      }
      return found;
    };
    const [train, heldout, tune] = [expressions('train', 1), expressions('heldout', 2), expressions('tune', 3)];
    expect(train.size).toBeGreaterThan(200);
    expect(Math.min(heldout.size, tune.size)).toBeGreaterThan(5);
    expect(new Set([...train, ...heldout, ...tune]).size).toBe(train.size + heldout.size + tune.size);
  });

  test('only the operators asked for are used', () => {
    const { text } = documentAt(taskConfig('mano', { operators: ['-'], problems: 20 }), 0, 'train', 0);
    expect(text).not.toMatch(/[+*]/);
  });
});
