import { describe, expect, test } from 'vitest';
import { DocumentBuilder, lossFault } from './document.js';

describe('lossFault', () => {
  test('accepts sorted ranges inside the text, touching ones too', () => {
    for (const ranges of [
      [],
      [[0, 5]],
      [
        [0, 2],
        [2, 3],
        [4, 5],
      ],
    ] as const)
      expect(lossFault(ranges, 5)).toBeUndefined();
  });

  test.each([
    [[[2, 2]], 'empty or reversed'],
    [[[3, 2]], 'empty or reversed'],
    [
      [
        [2, 4],
        [3, 5],
      ],
      'overlaps or precedes',
    ],
    [
      [
        [3, 4],
        [1, 2],
      ],
      'overlaps or precedes',
    ],
    [[[4, 6]], "ends behind the text's 5"],
    [[[-1, 3]], 'is no range'],
    [[[0.5, 3]], 'is no range'],
  ] as const)('%j: %s', (ranges, message) => {
    expect(lossFault(ranges, 5)).toContain(message);
  });
});

describe('DocumentBuilder', () => {
  test('separates by single spaces and marks the answers without them', () => {
    const document = new DocumentBuilder().words('a b').answer('c').words('d').answer('e f').build({ task: 'x' });
    expect(document.text).toBe('a b c d e f');
    expect(document.loss?.map(([start, end]) => document.text.slice(start, end))).toEqual(['c', 'e f']);
  });

  test('refuses words that would break the separation', () => {
    for (const words of ['', ' a', 'a ']) expect(() => new DocumentBuilder().words(words)).toThrow('white space');
  });
});
