import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sharedData } from '../../test-support/shared-data.js';
import { tinyTokenizer } from '../../test-support/tiny-tokenizer.js';
import { UserError } from '../base/user-error.js';
import { Tokenizer } from './tokenizer.js';

const tokenizer = await tinyTokenizer();
const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('the', ' cat', '漢', '字', '😀', 'é', '<|im_end|>', '\n', '7'), maxLength: 20 }),
);

test('offsets are UTF-16 positions: every id lies where its text lies', async () => {
  const { ids, starts, ends } = await tokenizer.encodeWithOffsets('a😀b漢 the<|im_end|>');
  const spans = Array.from(ids, (_, i) => 'a😀b漢 the<|im_end|>'.slice(starts[i], ends[i]));
  const seen = spans.filter((span, i) => span !== spans[i - 1] || starts[i] !== starts[i - 1]);
  expect(seen.join('|')).toBe('a|😀|b|漢| the|<|im_end|>');
});

test('offsets cover the text, in order', async () => {
  await fc.assert(
    fc.asyncProperty(anyText, async (text) => {
      const { ids, starts, ends } = await tokenizer.encodeWithOffsets(text);
      expect([...ids]).toEqual([...(await tokenizer.encode(text))]);
      let covered = 0;
      ids.forEach((_, i) => {
        expect(starts[i]).toBeLessThanOrEqual(covered);
        expect(ends[i]).toBeGreaterThan(starts[i]!);
        covered = Math.max(covered, ends[i]!);
      });
      expect(covered).toBe(text.length);
    }),
  );
});

test('a batch equals its texts one by one', async () => {
  const texts = ['the cat', '', '漢字 😀', '12 plus 30'];
  const batch = await tokenizer.encodeBatch(texts);
  for (const [i, text] of texts.entries()) expect([...batch[i]!]).toEqual([...(await tokenizer.encode(text))]);
});

test('streamed text equals decoding at once, whatever the ids, and never shows half a character', () => {
  const id = fc.integer({ min: 0, max: tokenizer.vocabSize - 1 });
  fc.assert(
    fc.property(fc.array(id), fc.boolean(), (ids, skipSpecial) => {
      const stream = tokenizer.stream({ skipSpecial });
      const pieces = ids.map((each) => stream.push(each));
      expect(pieces.join('') + stream.end()).toBe(tokenizer.decode(ids, { skipSpecial }));
      for (const piece of pieces) expect(piece.endsWith('\ufffd')).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test('streamed characters come out as soon as they are complete', async () => {
  const stream = tokenizer.stream();
  const ids = await tokenizer.encode('x字y');
  const pieces = Array.from(ids, (id) => stream.push(id)).filter((piece) => piece !== '');
  expect(pieces).toEqual(['x', '字', 'y']);
});

test('special tokens are left out on request', async () => {
  const ids = await tokenizer.encode('<|im_start|>the<|im_end|>');
  expect(tokenizer.decode(ids, { skipSpecial: true })).toBe('the');
  expect(tokenizer.decode(ids)).toBe('<|im_start|>the<|im_end|>');
  expect([ids[0]!, ids[1]!].map((id) => tokenizer.hiddenText(id))).toEqual(['<|im_start|>', null]);
});

test('truncation and padding in the file are ignored', async () => {
  const json = JSON.parse(await readFile(join(tokenizer.dir, 'tokenizer.json'), 'utf8'));
  json.truncation = { direction: 'Right', max_length: 3, strategy: 'LongestFirst', stride: 0 };
  json.padding = {
    strategy: { Fixed: 50 },
    direction: 'Right',
    pad_to_multiple_of: null,
    pad_id: 0,
    pad_type_id: 0,
    pad_token: '<|endoftext|>',
  };
  const dir = await folder({ 'tokenizer.json': JSON.stringify(json) });
  const plain = await Tokenizer.load(dir);
  const text = 'the cat sat on the mat';
  expect([...(await plain.encode(text))]).toEqual([...(await tokenizer.encode(text))]);
});

describe('a damaged folder gets one clear line', () => {
  const cases: Array<[name: string, files: Record<string, string>, message: RegExp]> = [
    ['no tokenizer', { 'README.md': 'hello' }, /no tokenizer\.json here/],
    ['not JSON', { 'tokenizer.json': '{"model": {\n"vocab":\n\n' }, /tokenizer\.json: not valid JSON/],
    ['no model', { 'tokenizer.json': '{}' }, /tokenizer\.json: model: /],
    [
      'unusable',
      { 'tokenizer.json': '{"model":{"type":"BPE","vocab":{}}}' },
      /tokenizer\.json: not a usable tokenizer/,
    ],
    ['config not JSON', { 'tokenizer_config.json': 'x' }, /tokenizer_config\.json: not valid JSON/],
    [
      'config of the wrong type',
      { 'tokenizer_config.json': '{"eos_token": 3}' },
      /tokenizer_config\.json: eos_token: /,
    ],
  ];
  test.each(cases)('%s', async (_, files, message) => {
    const sound = await readFile(join(tokenizer.dir, 'tokenizer.json'), 'utf8');
    const dir = await folder(files['tokenizer_config.json'] ? { 'tokenizer.json': sound, ...files } : files);
    const error: unknown = await Tokenizer.load(dir).catch((caught) => caught);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('\n');
  });
});

test('end tokens come from every file that names some', async () => {
  const eosTokenIds = [0, 7];
  const dir = await folder({ 'generation_config.json': '{"eos_token_id": [2, 9]}' });
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) await cp(join(tokenizer.dir, name), join(dir, name));
  const stopIds = async (chat: boolean) => (await Tokenizer.load(dir)).stopIds({ chat, eosTokenIds }).sort();
  expect(await stopIds(false)).toEqual([0, 2, 7, 9]);
  expect(await stopIds(true)).toEqual([0, 2, 7, 9]);
  for (const [text, more] of [
    ['{"eos_token_id": 5}', [5]],
    ['{"eos_token_id": null}', []],
    ['{}', []],
  ] as const) {
    await writeFile(join(dir, 'generation_config.json'), text);
    expect(await stopIds(false)).toEqual([0, ...more, 7].sort());
  }
  for (const text of ['{"eos_token_id": "a"}', '{"eos_token_id": [-1]}', '[]', '{']) {
    await writeFile(join(dir, 'generation_config.json'), text);
    await expect(Tokenizer.load(dir)).rejects.toThrow(/generation_config\.json: (eos_token_id|not valid JSON)/);
  }
});

describe('Ouro’s tokenizer', () => {
  const path = sharedData('tokenizer-ouro', 'cases.json');
  test('is exact on all cases, both ways and streamed', async ({ skip }) => {
    skip(path === null, 'shared/data/tokenizer-ouro is not on this machine');
    const ouro = await Tokenizer.load(dirname(path!));
    const { cases } = JSON.parse(await readFile(path!, 'utf8')) as {
      cases: Array<{ text: string; ids: number[]; decoded: string }>;
    };
    expect(cases.length).toBe(309);
    for (const { text, ids, decoded } of cases) {
      expect([...(await ouro.encode(text))]).toEqual(ids);
      expect(ouro.decode(ids)).toBe(decoded);
      const stream = ouro.stream();
      expect(ids.map((id) => stream.push(id)).join('') + stream.end()).toBe(decoded);
    }
    expect(ouro.vocabSize).toBe(49152);
    expect(ouro.stopIds({ chat: true, eosTokenIds: [] })).toEqual([2, 0]);
    expect(ouro.stopIds({ chat: false, eosTokenIds: [] })).toEqual([0]);
    const spoken = await ouro.encode('<think>so</think><|im_end|>');
    expect(ouro.decode(spoken, { skipSpecial: true })).toBe('<think>so</think>');
  });
});

async function folder(files: Record<string, string>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'looprpt-folder-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
  return dir;
}
