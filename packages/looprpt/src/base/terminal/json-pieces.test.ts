import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonPieces } from './json-pieces.js';

const joined = (value: unknown): string => [...jsonPieces(value)].join('');

test('joined, they are what JSON.stringify says', () => {
  const special = fc.constantFrom(Number.NaN, Number.NEGATIVE_INFINITY, -0, undefined);
  const { value } = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
    leaf: fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.double(), special),
    value: fc.oneof(
      { maxDepth: 6 },
      tie('leaf'),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(value, (data) => {
      expect(joined({ data })).toBe(JSON.stringify({ data }));
    }),
  );
});

test('are several for what is long, none of them much longer than the others', () => {
  const value = { rows: Array.from({ length: 40 }, () => Array.from({ length: 50 }, () => 'x'.repeat(1000))) };
  const pieces = [...jsonPieces(value)];
  expect(pieces.length).toBeGreaterThan(1);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(2 ** 20 + 2000);
  expect(pieces.join('')).toBe(JSON.stringify(value));
});
