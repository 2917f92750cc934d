import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TINY_CORPUS, tinyTokenizer } from '../../test-support/tiny-tokenizer.js';
import { UserError } from '../base/user-error.js';
import { ChatTemplate } from './chat-template.js';
import { Tokenizer } from './tokenizer.js';
import { trainTokenizer } from './train-tokenizer.js';

const tokenizer = await tinyTokenizer();

test('any text round-trips', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(...TINY_CORPUS),
  );
  await fc.assert(
    fc.asyncProperty(text, async (given) => {
      expect(tokenizer.decode(await tokenizer.encode(given))).toBe(given);
    }),
    { numRuns: 300 },
  );
});

test('the special tokens have ids 0, 1, 2, every byte has one, and digits stay single', async () => {
  expect([...(await tokenizer.encode('<|endoftext|><|im_start|><|im_end|>'))]).toEqual([0, 1, 2]);
  expect(tokenizer.stopIds({ chat: false, eosTokenIds: [] })).toEqual([0]);
  expect(tokenizer.stopIds({ chat: true, eosTokenIds: [] })).toEqual([2, 0]);
  expect(tokenizer.vocabSize).toBe(290);
  expect((await tokenizer.encode('12345')).length).toBe(5);
  expect((await tokenizer.encode(' the the')).length).toBe(2);
  const bytes = Array.from({ length: 256 }, (_, i) => i + 3);
  expect(new Set(bytes.map((id) => tokenizer.decode([id]))).size).toBe(129);
});

test('the same corpus gives the same files, and a chat template that works', async () => {
  const again = await tinyTokenizer();
  for (const name of await readdir(tokenizer.dir)) {
    expect(await readFile(join(again.dir, name), 'utf8')).toBe(await readFile(join(tokenizer.dir, name), 'utf8'));
  }
  const template = await ChatTemplate.load(tokenizer.dir);
  const text = template!.render([{ role: 'user', content: ' hi ' }], { addGenerationPrompt: true });
  expect(text).toBe('<|im_start|>user\n hi <|im_end|>\n<|im_start|>assistant\n');
});

test('mistakes get one line and leave nothing behind', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'looprpt-train-'));
  const out = join(dir, 'out');
  await expect(trainTokenizer({ texts: ['a'], vocabSize: 258, out })).rejects.toThrow(/at least 259/);
  await expect(trainTokenizer({ texts: [''], vocabSize: 300, out })).rejects.toThrow(/no text/);
  const broken = (function* () {
    yield 'text';
    throw new UserError('the input broke off');
  })();
  await expect(trainTokenizer({ texts: broken, vocabSize: 300, out })).rejects.toThrow('the input broke off');
  expect(await readdir(dir)).toEqual([]);
  await mkdir(out);
  await writeFile(join(out, 'mine.txt'), 'keep');
  await expect(trainTokenizer({ texts: ['text'], vocabSize: 300, out })).rejects.toThrow(/not empty/);
  expect(await readdir(out)).toEqual(['mine.txt']);
});

test('a corpus with nothing more to join gives a smaller vocabulary', async () => {
  const out = join(await mkdtemp(join(tmpdir(), 'looprpt-train-')), 'out');
  const result = await trainTokenizer({ texts: ['ab ab'], vocabSize: 1000, out });
  expect(result.vocabSize).toBe(260);
  expect((await Tokenizer.load(out)).vocabSize).toBe(260);
});
