/** Numbers from bytes against `JSON.parse`: the same double, or none where it has none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecimalReader } from './decimal.js';

const reader = new DecimalReader();

/** What `text` is, and how much of it, where something else stands behind it. */
function read(text: string): { value: number; end: number } {
  const value = reader.read(Buffer.from(`, ${text},`), 2);
  return { value, end: reader.end };
}

function expectAsJson(text: string): void {
  const got = read(text);
  expect(got.end, text).toBe(2 + text.length);
  if (!Object.is(got.value, JSON.parse(text))) expect.unreachable(`${text} was read as ${got.value}`);
}

const digits = (most: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: most }).map((all) => all.join(''));

describe('decimal numbers', () => {
  it('are the doubles that they were written from', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => expectAsJson(JSON.stringify(value))),
      { numRuns: 5000 },
    );
    // What measurements look like: few digits before the point, 16 or 17 in all; and numbers of 32 bits.
    fc.assert(
      fc.property(fc.double({ min: -100, max: 100, noNaN: true }), fc.float({ noNaN: true }), (double, float) => {
        expectAsJson(String(double / 3));
        if (Number.isFinite(float)) expectAsJson(JSON.stringify(float));
      }),
      { numRuns: 5000 },
    );
  });

  it('are rounded as JSON rounds them, however they are written', () => {
    const whole = digits(22).map((text) => text.replace(/^0+(?=\d)/, ''));
    const part = fc.option(digits(22), { nil: null });
    const exponent = fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-', 'E-'), digits(3)), { nil: null });
    fc.assert(
      fc.property(fc.boolean(), whole, part, exponent, (minus, a, b, e) => {
        expectAsJson(`${minus ? '-' : ''}${a}${b === null ? '' : `.${b}`}${e === null ? '' : e.join('')}`);
      }),
      { numRuns: 10_000 },
    );
  });

  it('lie halfway between two doubles, or beside, and go to the right one', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 54n - 1n }), fc.integer({ min: 0, max: 18 }), (odd, point) => {
        const text = String(odd);
        expectAsJson(point === 0 ? text : `${text.slice(0, -point) || '0'}.${text.slice(-point).padStart(point, '0')}`);
      }),
      { numRuns: 5000 },
    );
  });

  it.each(['-0', '0', '-0.0', '0e0', '1e400', '-1e-400', '5e-324', '1.7976931348623157e308', '9007199254740993'])(
    'are %s too',
    (text) => expectAsJson(text),
  );

  it.each(['', '-', '01', '-01', '.5', '1.', '1.e3', '1e', '1e+', '+1', 'NaN', 'Infinity', 'null', '"1"'])(
    'are none where JSON has none: %s',
    (text) => {
      expect(() => JSON.parse(text === 'null' ? 'no' : text === '"1"' ? "'" : text)).toThrow();
      expect(read(text)).toEqual({ value: Number.NaN, end: -1 });
    },
  );
});
