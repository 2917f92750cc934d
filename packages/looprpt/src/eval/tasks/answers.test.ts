import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boxedAnswer, lastNumber, markedAnswer, normaliseAnswer, sameAnswer } from './answers.js';

describe('where answers stand', () => {
  it('behind ####, or as the last number', () => {
    expect(markedAnswer('so 3 + 4 = 7.\n#### 7\nProblem: 8')).toBe('7');
    expect(markedAnswer('no mark 7')).toBeNull();
    expect(lastNumber('first 12, then -3.5 and $1,234.50.')).toBe('1,234.50');
    expect(lastNumber('none')).toBeNull();
  });

  it('in the last box, whatever braces are inside it', () => {
    const content = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom('x', '1', '\\pi', '\\{', '\\}', ' + '),
        fc.array(tie('node') as fc.Arbitrary<string>, { maxLength: 3 }).map((parts) => `\\frac{${parts.join('')}}{2}`),
      ),
    })).node as fc.Arbitrary<string>;
    fc.assert(
      fc.property(content, fc.boolean(), (inside, earlier) => {
        const text = `${earlier ? 'first \\boxed{9}, ' : ''}thus $\\boxed{${inside}}$ as {claimed}.`;
        expect(boxedAnswer(text)).toBe(inside.trim());
      }),
    );
    expect(boxedAnswer('no box')).toBeNull();
    expect(boxedAnswer('\\boxed{open')).toBeNull();
  });
});

describe('when answers are the same', () => {
  it.each([
    ['42', '42.'],
    ['1,234', '1234'],
    ['$5$', '5.00'],
    ['.5', '0.50'],
    ['-0', '0'],
    ['+7', '007'],
    ['\\dfrac{1}{2}', '\\frac12'],
    ['\\tfrac 3 4', '\\frac{3}{4}'],
    ['\\left( 3, \\frac{\\pi}{2} \\right)', '(3,\\frac{\\pi}{2})'],
    ['90^\\circ', '90'],
    ['50\\%', '50%'],
    ['\\text{Evelyn}', 'evelyn'],
    ['\\sqrt2', '\\sqrt{2}'],
    ['12345678901234567890', '12,345,678,901,234,567,890'],
  ])('%s is %s', (a, b) => {
    expect(sameAnswer(a, b)).toBe(true);
  });

  it.each([
    ['1/2', '0.5'],
    ['12345678901234567890', '12345678901234567891'],
    ['-3', '3'],
    ['x', 'y'],
    ['(1,2)', '12'],
    ['10', '1'],
    ['\\frac{1}{2}', '\\frac{2}{1}'],
  ])('%s is not %s', (a, b) => {
    expect(sameAnswer(a, b)).toBe(false);
  });

  it('numbers are the same exactly when their values are', () => {
    const number = fc.tuple(fc.integer({ min: -2000, max: 2000 }), fc.integer({ min: 0, max: 3 }));
    const forms = ([value, decimals]: [number, number]) => {
      const x = value / 10 ** decimals;
      return [
        x.toFixed(decimals),
        `${x.toFixed(decimals + 2)}`,
        x.toLocaleString('en-US', { maximumFractionDigits: 3 }),
      ];
    };
    fc.assert(
      fc.property(number, number, (a, b) => {
        for (const x of forms(a))
          for (const y of forms(b)) expect(sameAnswer(x, y)).toBe(a[0] / 10 ** a[1] === b[0] / 10 ** b[1]);
      }),
    );
    expect(normaliseAnswer('0.1000')).toBe('0.1');
  });
});
