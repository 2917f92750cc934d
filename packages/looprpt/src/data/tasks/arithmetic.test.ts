import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { documentAt, taskConfig } from './index.js';

const signs = { add: '+', sub: '-', mul: '*' } as const;
type Operation = keyof typeof signs;

const numberOf = (digits: string): bigint => {
  expect(digits).toMatch(/^(0|[1-9]( \d)*)$/);
  return BigInt(digits.replaceAll(' ', ''));
};

function compute(operation: Operation, a: bigint, b: bigint): bigint {
  return operation === 'add' ? a + b : operation === 'sub' ? a - b : a * b;
}

/** Checks each column of a stage, the chain of carries, and that the digits give the stage's result; returns it. */
function checkStage(stage: string): bigint {
  const [columns, result] = stage.split(' -> ') as [string, string];
  let total = 0n;
  let place = 1n;
  let carried = 0;
  let borrowed = 0;
  for (const column of columns.split(' , ')) {
    const match = /^(\d) ([-+*]) (\d) ([-+]) (\d) : (\d) (\d)$/.exec(column)!;
    const [a, b, carry, high, low] = [match[1], match[3], match[5], match[6], match[7]].map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ];
    expect(carry).toBe(carried);
    if (match[2] === '-') {
      expect(match[4]).toBe('-');
      expect(a - b - carry).toBe(low - 10 * high);
      borrowed = high;
    } else {
      expect(match[4]).toBe('+');
      expect((match[2] === '+' ? a + b : a * b) + carry).toBe(10 * high + low);
    }
    carried = high;
    total += BigInt(low) * place;
    place *= 10n;
  }
  expect(borrowed).toBe(0);
  if (!columns.includes('-')) total += BigInt(carried) * place;
  const value = numberOf(result);
  if (columns.includes('*')) {
    let shifted = total;
    while (shifted < value) shifted *= 10n;
    expect(shifted).toBe(value);
  } else {
    expect(total).toBe(value);
  }
  return value;
}

describe('arithmetic', () => {
  test('every column, every stage and the result are right; the loss covers the work', () => {
    const settings = fc.record({
      minDigits: fc.integer({ min: 2, max: 3 }),
      maxDigits: fc.integer({ min: 3, max: 9 }),
      operations: fc.subarray<Operation>(['add', 'sub', 'mul'], { minLength: 1 }),
    });
    fc.assert(
      fc.property(settings, fc.nat(), (setting, seed) => {
        const document = documentAt(taskConfig('arithmetic', setting), seed, 'train', 0);
        const match = /^(add|sub|mul) ([\d ]+) [-+*] ([\d ]+) = (.*) so ([\d ]+)$/.exec(document.text)!;
        const operation = match[1] as Operation;
        expect(setting.operations).toContain(operation);
        const [a, b] = [numberOf(match[2]!), numberOf(match[3]!)];
        const longer = Math.max(String(a).length, String(b).length);
        expect(longer).toBeGreaterThanOrEqual(setting.minDigits);
        expect(longer).toBeLessThanOrEqual(setting.maxDigits);
        expect(document.meta?.difficulty).toBe(longer);
        const expected = compute(operation, a, b);
        expect(numberOf(match[5]!)).toBe(expected);
        const stages = match[4]!.split(' ; ').map(checkStage);
        expect(stages.at(-1)).toBe(expected);
        if (operation === 'mul') {
          const digits = [...String(b)].reverse().map(BigInt);
          const partials = digits.map((digit, shift) => a * digit * 10n ** BigInt(shift));
          expect(stages.filter((_, index) => index === 0 || index % 2 === 1)).toEqual(partials);
        } else {
          expect(stages).toHaveLength(1);
        }
        expect(document.loss).toEqual([[document.text.indexOf(' = ') + 3, document.text.length]]);
      }),
      { numRuns: 100 },
    );
  });

  test('without steps the answer is the bare result', () => {
    const config = taskConfig('arithmetic', { steps: false, problems: 3 });
    const document = documentAt(config, 2, 'tune', 5);
    const problems = document.text.split(' . ');
    expect(problems).toHaveLength(3);
    for (const [index, problem] of problems.entries()) {
      const match = /^(add|sub|mul) ([\d ]+) [-+*] ([\d ]+) = ([\d ]+)$/.exec(problem)!;
      const expected = compute(match[1] as Operation, numberOf(match[2]!), numberOf(match[3]!));
      expect(numberOf(match[4]!)).toBe(expected);
      const [start, end] = document.loss![index]!;
      expect(document.text.slice(start, end)).toBe(match[4]);
    }
  });

  test('operations and lengths mix', () => {
    const config = taskConfig('arithmetic');
    const seen = new Set<string>();
    for (let index = 0; index < 200; index++) {
      const { text, meta } = documentAt(config, 0, 'train', index);
      seen.add(`${text.slice(0, 3)} ${meta?.difficulty}`);
    }
    expect(seen.size).toBe(3 * 3);
  });

  test('no problem occurs in two splits, not even with its operands exchanged', () => {
    const config = taskConfig('arithmetic', { maxDigits: 2, operations: ['add'], problems: 20, steps: false });
    const sums = (split: 'train' | 'heldout' | 'tune', seed: number) => {
      const found = new Set<string>();
      for (let index = 0; index < 60; index++) {
        for (const problem of documentAt(config, seed, split, index).text.split(' . ')) {
          found.add(problem.slice(4).split(' = ')[0]!.split(' + ').sort().join('+'));
        }
      }
      return found;
    };
    const [train, heldout, tune] = [sums('train', 1), sums('heldout', 2), sums('tune', 3)];
    expect(train.size).toBeGreaterThan(700);
    expect(Math.min(heldout.size, tune.size)).toBeGreaterThan(50);
    expect(new Set([...train, ...heldout, ...tune]).size).toBe(train.size + heldout.size + tune.size);
  });
});
