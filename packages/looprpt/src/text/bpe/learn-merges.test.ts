import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { BPE, byteLevelPreTokenizer, digitsPreTokenizer, sequencePreTokenizer, Tokenizer } from 'tokenizers';
import { expect, test } from 'vitest';
import { type LearnedMerges, learnMerges, type MergeOptions } from './learn-merges.js';
import { countWords } from './word-counts.js';

/** The definition: recount every pair from scratch before each merge. */
function slowMerges(wordCounts: ReadonlyMap<string, number>, options: MergeOptions): LearnedMerges {
  const symbols = [...options.alphabet];
  const merges: Array<[string, string]> = [];
  const words = [...wordCounts].map(([word, count]) => ({ parts: [...word], count }));
  while (symbols.length < options.symbols) {
    const pairs = new Map<string, { left: string; right: string; count: number }>();
    for (const { parts, count } of words) {
      for (let i = 0; i + 1 < parts.length; i++) {
        const key = `${parts[i]} ${parts[i + 1]}`;
        const pair = pairs.get(key) ?? { left: parts[i]!, right: parts[i + 1]!, count: 0 };
        pairs.set(key, { ...pair, count: pair.count + count });
      }
    }
    const rank = (symbol: string) => symbols.indexOf(symbol);
    const best = [...pairs.values()].sort(
      (a, b) => b.count - a.count || rank(a.left) - rank(b.left) || rank(a.right) - rank(b.right),
    )[0];
    if (!best || best.count < options.minFrequency) break;
    merges.push([best.left, best.right]);
    if (!symbols.includes(best.left + best.right)) symbols.push(best.left + best.right);
    for (const word of words) {
      for (let i = 0; i + 1 < word.parts.length; i++) {
        if (word.parts[i] === best.left && word.parts[i + 1] === best.right) {
          word.parts.splice(i, 2, best.left + best.right);
        }
      }
    }
  }
  return { symbols, merges };
}

test('equals recounting from scratch', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(fc.array(fc.tuple(word, fc.integer({ min: 1, max: 4 })), { maxLength: 12 }), (entries) => {
      const options = { alphabet: ['a', 'b', 'c'], symbols: 24, minFrequency: 2 };
      const counts = new Map(entries);
      expect(learnMerges(counts, options)).toEqual(slowMerges(counts, options));
    }),
    { numRuns: 300 },
  );
});

test('equals Hugging Face’s own trainer', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'looprpt-bpe-'));
  // Their trainer splits line by line, so a run of white space across lines would be a different word.
  const text = [
    'she sells sea shells on the sea shore; the shells she sells are sea shells for sure. '.repeat(3).trim(),
    'peter piper picked a peck of pickled peppers, 12 pecks of 345 pickled peppers peter piper picked',
    'größer,   größer -----------; 漢字漢字 aaaa aaaaa 😀😀',
  ].join('\n');
  await writeFile(join(dir, 'corpus.txt'), text);
  const theirs = new Tokenizer(BPE.empty());
  theirs.setPreTokenizer(sequencePreTokenizer([digitsPreTokenizer(true), byteLevelPreTokenizer(false, true)]));
  theirs.train([join(dir, 'corpus.txt')]);
  theirs.save(join(dir, 'tokenizer.json'));
  const { model } = JSON.parse(await readFile(join(dir, 'tokenizer.json'), 'utf8'));

  const counts = await countWords([text]);
  const alphabet = [...new Set([...counts.keys()].join(''))].sort();
  const ours = learnMerges(counts, { alphabet, symbols: 30_000, minFrequency: 0 });
  expect(ours.merges.length).toBeGreaterThan(50);
  expect(ours.merges).toEqual(model.merges);
  expect(Object.fromEntries(ours.symbols.map((symbol, id) => [symbol, id]))).toEqual(model.vocab);
});

test('cutting a long text at line ends leaves the words as they are', async () => {
  const lines = Array.from({ length: 9000 }, (_, i) => `line ${i % 97} of text${'\n'.repeat(1 + (i % 3))}`);
  const whole = await countWords([lines.join('')]);
  const splitter = sequencePreTokenizer([digitsPreTokenizer(true), byteLevelPreTokenizer(false, true)]);
  const expected = new Map<string, number>();
  for (const [word] of splitter.preTokenizeString(lines.join(''))) expected.set(word, (expected.get(word) ?? 0) + 1);
  expect(whole).toEqual(expected);
});
