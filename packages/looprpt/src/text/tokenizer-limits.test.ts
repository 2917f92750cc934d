import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { tinyTokenizer } from '../../test-support/tiny-tokenizer.js';
import { Tokenizer } from './tokenizer.js';
import { mergeFault, tokenizerFault } from './tokenizer-limits.js';

const replace = (content: string) => ({ type: 'Replace', pattern: { String: 'a' }, content });
const sequence = (normalizers: object[]) => ({ normalizer: { type: 'Sequence', normalizers } });

describe('a chain of parts', () => {
  const ordinary = sequence([{ type: 'NFC' }, replace('bb'), replace('cc')]);

  it.each([
    [{ parts: 3, growth: 10 }, /^normalizer: 4 parts, more than 3$/],
    [{ parts: 10, growth: 3 }, /^normalizer: its replacements make a text 4\.0 times as long$/],
  ])('within %j', (limits, fault) => {
    expect(tokenizerFault(ordinary, limits)).toMatch(fault);
    expect(tokenizerFault(ordinary)).toBeNull();
  });

  it('counts nested parts, and writes bytes once', () => {
    const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
    const nested = { type: 'Sequence', pretokenizers: [byteLevel, { type: 'Sequence', pretokenizers: [byteLevel] }] };
    expect(tokenizerFault({ pre_tokenizer: nested })).toMatch(/^pre_tokenizer: 2 parts of type ByteLevel/);
  });
});

it('a merge joins two entries to a third, the second without its prefix', () => {
  const known = (entry: string): boolean => ['ab', 'cd'].includes(entry);
  expect(mergeFault('a', '##b', { prefix: '##', known })).toBeNull();
  expect(mergeFault('c', 'd', { prefix: '', known })).toBeNull();
  expect(mergeFault('c', 'd', { prefix: '##', known })).toBe('its second part does not begin with the prefix');
  expect(mergeFault('b', '##a', { prefix: '##', known })).toBe('what it joins is not in the vocabulary');
});

it('finds nothing in files as other families have them', () => {
  const llama = sequence([
    { type: 'Prepend', prepend: '▁' },
    { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
  ]);
  const wordPiece = {
    model: { vocab: { ab: 0, cd: 1 }, continuing_subword_prefix: '##', merges: ['a ##b', ['c', '##d']] },
  };
  expect(
    [llama, wordPiece, {}, { decoder: null, model: { vocab: { ab: 0 }, merges: ['a b'] } }].map((file) =>
      tokenizerFault(file),
    ),
  ).toEqual([null, null, null, null]);
});

it('is asked before the library is', async () => {
  const folder = temporaryFolder();
  const { dir } = await tinyTokenizer();
  const file = JSON.parse(readFileSync(`${dir}/tokenizer.json`, 'utf8'));
  expect(tokenizerFault(file)).toBeNull();
  file.normalizer = { type: 'Sequence', normalizers: Array.from({ length: 70 }, () => ({ type: 'NFC' })) };
  folder.write('tokenizer.json', JSON.stringify(file));
  await expect(Tokenizer.load(folder.path)).rejects.toThrow(/tokenizer\.json: normalizer: 71 parts, more than 64/);
});
