import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collect, temporaryFolder } from '../../../test-support/temporary-folder.js';
import { BrokenRecords } from './broken.js';
import { readArrayElements } from './json-array.js';

async function elements(text: string, options: { blockBytes?: number; maxBytes?: number } = {}) {
  const path = temporaryFolder().write('a.json', text);
  const broken = new BrokenRecords('skip');
  const found = await collect(readArrayElements(path, broken, options));
  const faults = broken.examples.map((example) => example.replace(path, 'a.json'));
  return { found: found.map(({ number, bytes }) => [number, Buffer.from(bytes).toString()]), faults };
}

describe('readArrayElements', () => {
  test('gives what JSON.parse gives of the whole, whatever the size of the blocks and the white space', async () => {
    const folder = temporaryFolder();
    const values = fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        values,
        fc.constantFrom(undefined, 2, '\t'),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        async (array, indent, blockBytes, mark) => {
          const path = folder.write('a.json', `${mark ? '\ufeff' : ''} ${JSON.stringify(array, null, indent)}\n`);
          const read = await collect(readArrayElements(path, new BrokenRecords('stop'), { blockBytes }));
          const parsed = read.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as unknown);
          expect(parsed).toEqual(JSON.parse(JSON.stringify(array)));
          expect(read.map(({ number }) => number)).toEqual(array.map((_, i) => i + 1));
        },
      ),
      { numRuns: 150 },
    );
  });

  test.each([
    ['[1, 2', [[1, '1']], ['a.json: the JSON array does not end']],
    [
      '[1,, 2]',
      [
        [1, '1'],
        [2, ' 2'.trim()],
      ],
      ['a.json, record 1: a comma with no record at its side'],
    ],
    ['[1,]', [[1, '1']], ['a.json, record 1: a comma with no record at its side']],
    ['[1] x', [[1, '1']], ['a.json: there is text behind the end of the JSON array']],
    ['{"a": 1}', [], ['a.json: expected a JSON array']],
    ['', [], ['a.json: the JSON array does not end']],
    ['[ ]', [], []],
  ])('of %j keeps what is whole and reports the rest', async (text, found, faults) => {
    expect(await elements(text)).toEqual({ found, faults });
  });

  test('leaves out an element that is too long, and holds no more of it', async () => {
    expect(await elements('["ab", "abcdefghij", "cd"]', { maxBytes: 5, blockBytes: 3 })).toEqual({
      found: [
        [1, '"ab"'],
        [3, '"cd"'],
      ],
      faults: ['a.json, record 2: has 12 bytes, more than 5'],
    });
  });
});
