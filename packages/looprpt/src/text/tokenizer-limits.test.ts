import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { tinyTokenizer } from '../../test-support/tiny-tokenizer.js';
import { Tokenizer } from './tokenizer.js';
import { tokenizerFault } from './tokenizer-limits.js';

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const replace = (content: string) => ({ type: 'Replace', pattern: { String: 'a' }, content });
const sequence = (normalizers: object[]) => ({ normalizer: { type: 'Sequence', normalizers } });

it.each<[string, Record<string, unknown>, RegExp]>([
  [
    'a merge that cannot lose its prefix',
    { model: { vocab: { ab: 0, cd: 1 }, continuing_subword_prefix: '##', merges: ['a ##b', ['c', 'd']] } },
    /^model\.merges\.1: its second part does not begin with the prefix$/,
  ],
  [
    'a merge of more than there is',
    { model: { vocab: { a: 0, b: 1, __proto__: 2 }, merges: ['a b'] } },
    /^model\.merges\.0: what it joins is not in the vocabulary$/,
  ],
  [
    'bytes written as bytes again',
    {
      pre_tokenizer: { type: 'Sequence', pretokenizers: [byteLevel, { type: 'Sequence', pretokenizers: [byteLevel] }] },
    },
    /^pre_tokenizer: 2 parts of type ByteLevel/,
  ],
  [
    'replacements of replacements',
    sequence([replace('a'.repeat(70)), replace('a'.repeat(70))]),
    /^normalizer: its replacements make a text 4\.9e\+3 times as long$/,
  ],
  [
    'parts without end',
    sequence(Array.from({ length: 100 }, () => ({ type: 'NFC' }))),
    /^normalizer: 101 parts, more than 64$/,
  ],
])('finds %s', (_, file, fault) => expect(tokenizerFault(file)).toMatch(fault));

it('finds nothing in files as other families have them', () => {
  const llama = sequence([
    { type: 'Prepend', prepend: '▁' },
    { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
  ]);
  const wordPiece = {
    model: { vocab: { ab: 0, cd: 1 }, continuing_subword_prefix: '##', merges: ['a ##b', ['c', '##d']] },
  };
  expect(
    [llama, wordPiece, {}, { decoder: null, model: { vocab: { ab: 0 }, merges: ['a b'] } }].map(tokenizerFault),
  ).toEqual([null, null, null, null]);
});

it('is asked before the library is', async () => {
  const folder = temporaryFolder();
  const { dir } = await tinyTokenizer();
  const file = JSON.parse(readFileSync(`${dir}/tokenizer.json`, 'utf8'));
  expect(tokenizerFault(file)).toBeNull();
  file.model.continuing_subword_prefix = 'x'.repeat(20);
  folder.write('tokenizer.json', JSON.stringify(file));
  await expect(Tokenizer.load(folder.path)).rejects.toThrow(/tokenizer\.json: model\.merges\.0: its second part/);
  file.model.continuing_subword_prefix = null;
  file.model.merges = [['the', 'the']];
  folder.write('tokenizer.json', JSON.stringify(file));
  await expect(Tokenizer.load(folder.path)).rejects.toThrow(/what it joins is not in the vocabulary/);
});
