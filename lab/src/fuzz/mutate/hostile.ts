/** Values that break readers: numbers at and beyond limits, names that lead elsewhere, keys that mean something to JavaScript. */
import fc from 'fast-check';

/** Laid out by the sandbox (sandbox.ts): a file outside of the case's folder, and a link inside it that leads there. */
export const OUTSIDE = 'outside.bin';
export const LINK = 'link.bin';

export const hostileStrings: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(
      '',
      ' ',
      '.',
      '..',
      `../${OUTSIDE}`,
      `a/../../${OUTSIDE}`,
      LINK,
      '/etc/passwd',
      '/dev/null',
      'x'.repeat(300),
      '__proto__',
      'constructor',
      'prototype',
      'toString',
      'hasOwnProperty',
      'length',
      '\0',
      'a\0b',
      '\n',
      '\r\n\x1b[2J',
      '\ud800',
      '\udc00x',
      '\ufeff',
      '\u202e',
      'é',
      '漢字',
      '😀',
      '{{',
      '}}',
      '%s',
      'NaN',
      '-1',
      '1e999',
      'null',
    ),
  },
  { weight: 8, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom('y'.repeat(20_000), '\u0301'.repeat(3000)) },
);

/** Texts of numbers. */
export const hostileNumbers: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '0',
    '-0',
    '-1',
    '1',
    '2',
    '0.5',
    '-0.5',
    '255',
    '256',
    '65535',
    '65536',
    '2147483647',
    '2147483648',
    '-2147483648',
    '4294967295',
    '4294967296',
    '4294967297',
    '9007199254740991',
    '9007199254740992',
    '9223372036854775807',
    '9223372036854775808',
    '18446744073709551615',
    '18446744073709551616',
    '1e15',
    '1e21',
    '1e308',
    '1e309',
    '-1e309',
    '1e-320',
    `1${'0'.repeat(400)}`,
    '1000000000',
    '100000000000',
    '3e9',
  ),
  fc.integer().map(String),
  fc.nat(40).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
);

/** Texts of JSON values, and of some that only look like them. */
export const hostileJson: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: hostileNumbers },
  { weight: 3, arbitrary: hostileStrings.map((text) => JSON.stringify(text)) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'null',
      'true',
      'false',
      '[]',
      '{}',
      '[[]]',
      '[{}]',
      '{"":0}',
      '{"__proto__":{"x":1}}',
      '{"a":1,"a":2}',
      'NaN',
      'Infinity',
      '-',
      '0x10',
      '01',
      "'x'",
      '"\\ud800"',
      '"\\u0000"',
      '[1,]',
      '{"a":}',
      '',
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('[', '{"a":', '[{"a":'), fc.constantFrom(3, 60, 2000, 20_000))
      .map(
        ([open, depth]) => `${open.repeat(depth)}1${{ '[': ']', '{"a":': '}', '[{"a":': '}]' }[open].repeat(depth)}`,
      ),
  },
);
