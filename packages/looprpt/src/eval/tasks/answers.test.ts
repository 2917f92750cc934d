import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boxedAnswer, markedAnswer } from '../../data/documents/final-answer.js';
import { answerIn, judgeAnswer } from './answer-items.js';
import { normaliseAnswer, sameAnswer, sameWriting } from './answers.js';
import { lastNumber, leadingNumber } from './numbers.js';

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
    expect(boxedAnswer('\\boxed')).toBeNull();
  });

  it('in boxes of other names and without braces', () => {
    expect(boxedAnswer('$\\fbox{5}$')).toBe('5');
    expect(boxedAnswer('so $\\boxed 5$ it is 6')).toBe('5');
    expect(boxedAnswer('$\\boxed{1}$ or $\\framebox{2}$')).toBe('2');
    expect(boxedAnswer('\\boxedness{5}')).toBeNull();
  });

  it('as numbers with markup, signs and thousands as people and TeX write them', () => {
    expect(lastNumber('It comes to 1,234, all told.')).toBe('1,234');
    expect(lastNumber('\\boxed{1{,}234}')).toBe('1,234');
    expect(lastNumber('1\\,234\\,567')).toBe('1,234,567');
    expect(lastNumber('3,4 and 5')).toBe('5');
    expect(lastNumber('x = −3')).toBe('-3');
    expect(lastNumber('-$5')).toBe('-5');
    expect(lastNumber('10-3')).toBe('3');
    expect(lastNumber('about .5')).toBe('.5');
    for (const text of ['**18**', '= 18', '18,', '18 apples and 3 pears', '$18.', '+18', '\\(18\\)', '__18__'])
      expect(leadingNumber(text), text).toBe('18');
    expect(leadingNumber('- $1,018')).toBe('-1,018');
    expect(leadingNumber('Ann has 18')).toBeNull();
    expect(leadingNumber('')).toBeNull();
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
    ['10{,}000', '10000'],
    ['\\frac{1}{2}', '1/2'],
    ['\\frac{1}{2}', '0.5'],
    ['-\\frac{1}{2}', '\\frac{-1}{2}'],
    ['-\\frac{1}{2}', '-1/2'],
    ['\\frac{a}{b}', '\\frac ab'],
    ['\\frac{10}{b+1}', '\\frac{10}{b + 1}'],
    ['\\frac{1}{72}', '\\frac1{72}'],
    ['3\\sqrt{x}', '3\\sqrt x'],
    ['\\sqrt[3]{2}', '\\sqrt[3]{2}'],
    ['5', 'x=5'],
    ['5', 'x = 5.'],
    ['5', '\\theta = 5'],
    ['5', '5\\text{ cm}'],
    ['5', '5\\mbox{ cm}^2'],
    ['5', '5 square units'],
    ['12', '12 cm^3'],
    ['18', '18\\text{ dollars}'],
    ['\\text{odd}', 'odd'],
    ['5', '\\(5\\)'],
    ['(1,2)', '\\bigl(1,\\, 2\\bigr)'],
    ['\\begin{pmatrix} -2 \\\\ 7 \\end{pmatrix}', '\\begin{pmatrix}-2\\\\7\\end{pmatrix}'],
    ['\\(\\boxed{77}\\)', '77'],
    ['\\text{(A)}', '(A)'],
  ])('%s is %s', (a, b) => {
    expect(sameAnswer(a, b)).toBe(true);
    expect(sameWriting(a, b)).toBe(true);
  });

  it.each([
    ['0.25', '\\frac{1}{4}'],
    ['\\frac{2}{4}', '\\frac{1}{2}'],
    ['1\\frac{1}{2}', '3/2'],
    ['-1\\frac{1}{2}', '-1.5'],
    ['\\frac{0.5}{2}', '.25'],
    ['(0.25, 3)', '(\\frac{1}{4}, 3)'],
  ])('%s is %s by its value, but not as written', (a, b) => {
    expect(sameAnswer(a, b)).toBe(true);
    expect(sameWriting(a, b)).toBe(false);
  });

  it.each([
    ['1/3', '0.3'],
    ['\\frac{1}{0}', '1'],
    ['x+y=5', '5'],
    ['(0.25, 3)', '[0.25, 3]'],
    ['5x', '5'],
    ['2\\text{ and }3', '2'],
    ['5\\text{ and }6\\text{ cm}', '5'],
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

describe('a generated solution', () => {
  it.each([
    ['18', 'The answer is 18, as asked.'],
    ['1234', 'It comes to 1,234, all told.'],
    ['18', '#### **18**'],
    ['18', '#### = 18'],
    ['1234', 'So \\boxed{1{,}234}.'],
    ['-5', '#### −$5'],
  ])('of GSM8K with %s is right by flexible match alone: %s', (gold, text) => {
    expect(judgeAnswer('gsm8k', text, gold)).toEqual({ strict: false, flexible: true });
  });

  it.each([
    ['10', '#### 10 dollars'],
    ['18', '#### 18,'],
    ['1234', '#### 1,234'],
    ['18', 'It is 7.\n#### 18\n\nProblem: 8\n#### 9'],
  ])('of GSM8K with %s is right by both: %s', (gold, text) => {
    expect(judgeAnswer('gsm8k', text, gold)).toEqual({ strict: true, flexible: true });
  });

  it.each([
    ['5', '$\\boxed 5$'],
    ['5', '$\\fbox{5}$'],
    ['\\frac{1}{2}', '\\boxed{\\dfrac12}'],
  ])('of MATH with %s is right by both: %s', (gold, text) => {
    expect(judgeAnswer('math', text, gold)).toEqual({ strict: true, flexible: true });
  });

  it('of MATH may say its answer without a box', () => {
    const text = 'Final Answer: The final answer is $\\frac{1}{2}$. I hope it is correct.';
    expect(answerIn('math', text)).toBe('\\frac{1}{2}');
    expect(judgeAnswer('math', text, '1/2')).toEqual({ strict: false, flexible: true });
    expect(answerIn('math', 'The answer is x = 5. Then 7 follows.')).toBe('x = 5');
  });

  it('that is wrong is wrong', () => {
    expect(judgeAnswer('gsm8k', '#### 17', '18')).toEqual({ strict: false, flexible: false });
    expect(judgeAnswer('gsm8k', 'no number', '18')).toEqual({ strict: false, flexible: false });
    expect(judgeAnswer('math', '\\boxed{2}', '3')).toEqual({ strict: false, flexible: false });
  });
});
