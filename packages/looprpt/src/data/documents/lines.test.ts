import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collect, temporaryFolder } from '../../../test-support/temporary-folder.js';
import { UserError } from '../../base/user-error.js';
import { BrokenRecords } from './broken.js';
import { readLines } from './lines.js';
import { decodeUtf8 } from './utf8.js';

const skipping = () => new BrokenRecords('skip');
const bytes = (...parts: Array<string | number>) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));

describe('decodeUtf8', () => {
  test.each([
    [bytes('ab', 0xff, 'cd'), 2],
    [bytes('é', 0x80), 2],
    [bytes('ab', 0xe2, 0x82), 2],
    [bytes('ab', 0xe2, 0x28, 0xa1), 2],
    [bytes(0xed, 0xa0, 0x80), 0],
    [bytes(0xc0, 0xaf), 0],
  ])('%j goes wrong at offset %d', (input, position) => {
    expect(decodeUtf8(input)).toEqual({ invalidAt: position });
  });

  test('agrees with the encoder on every text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeUtf8(Buffer.from(text))).toEqual({ text });
      }),
    );
  });
});

describe('readLines', () => {
  test('gives the lines of the whole text, whatever the size of the blocks', async () => {
    const folder = temporaryFolder();
    const line = fc.string({ unit: fc.constantFrom('a', 'é', '漢', '😀', ' ', '"'), maxLength: 12 });
    const ending = fc.constantFrom('\n', '\r\n');
    const text = fc.array(fc.tuple(line, ending).map(([words, end]) => words + end)).map((lines) => lines.join(''));
    await fc.assert(
      fc.asyncProperty(
        text,
        line,
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (head, tail, blockBytes, bom) => {
          const path = folder.write('lines.txt', (bom ? '\ufeff' : '') + head + tail);
          const expected = (head + tail).split(/\r?\n/);
          if (tail === '') expected.pop();
          const read = await collect(readLines(path, skipping(), { blockBytes }));
          // A file of nothing but a byte order mark has one empty line.
          if (bom && head + tail === '') expect(read).toEqual([{ number: 1, text: '' }]);
          else expect(read).toEqual(expected.map((words, index) => ({ number: index + 1, text: words })));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('a line of invalid UTF-8 is located; the others are read', async () => {
    const path = temporaryFolder().write(
      'bad.txt',
      bytes('good\n', 'h', 0xe9, 'llo\n', 'fine\r\n', 'cut ', 0xf0, 0x9f),
    );
    const broken = skipping();
    expect((await collect(readLines(path, broken))).map(({ text }) => text)).toEqual(['good', 'fine']);
    expect(broken.count).toBe(2);
    expect(broken.examples).toEqual([
      `${path}:2: invalid UTF-8 at byte 2 of the line`,
      `${path}:4: invalid UTF-8 at byte 5 of the line`,
    ]);
    await expect(collect(readLines(path, new BrokenRecords('stop')))).rejects.toThrow(UserError);
  });

  test('a line that is too long is left out without being held', async () => {
    const path = temporaryFolder().write('long.txt', `ok\n${'x'.repeat(1000)}\nok too`);
    const broken = skipping();
    const lines = await collect(readLines(path, broken, { maxBytes: 100, blockBytes: 16 }));
    expect(lines).toEqual([
      { number: 1, text: 'ok' },
      { number: 3, text: 'ok too' },
    ]);
    expect(broken.examples).toEqual([`${path}:2: the line has 1000 bytes, more than 100`]);
  });
});
