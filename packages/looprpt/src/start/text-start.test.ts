/** The job on own text: what it makes of a few long documents, how it holds some out, and all of it once, interrupted and gone on with. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { fakeHub } from '../../test-support/fake-hub.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { ShardSet } from '../data/shards/shard-set.js';
import { documentAt, taskConfig } from '../data/tasks/index.js';
import { REPORT } from './folder.js';
import { runStart } from './start.js';
import { textSource } from './text-source.js';

const story = (index: number): string => documentAt(taskConfig('stories', {}), 0, 'train', index).text;

it('cuts a few long documents into many, and holds some of them out', async () => {
  const folder = temporaryFolder();
  const books = [0, 1, 2].map((book) => Array.from({ length: 100 }, (_, i) => story(100 * book + i)).join('\n\n'));
  for (const [i, book] of books.entries()) folder.write(`book-${i}.txt`, book);
  const source = await textSource({ kind: 'files', paths: [folder.path] }, new AbortController().signal);
  const read = async (part: 'train' | 'heldout'): Promise<string[]> => {
    const texts: string[] = [];
    for await (const { text } of source.open(part)) texts.push(text);
    return texts;
  };
  const [train, heldout] = [await read('train'), await read('heldout')];
  expect(train.length + heldout.length).toBe(source.survey.documents);
  expect(heldout.length).toBeGreaterThanOrEqual(5);
  expect([...train, ...heldout].reduce((sum, text) => sum + text.length, 0)).toBe(books.join('').length);
  expect(source.remarks.join(' ')).toMatch(/3 documents.* cut at blank lines into \d+ sections .* held out, by a hash/);
});

it('takes documents as they are where there are enough', async () => {
  const folder = temporaryFolder();
  folder.write('many.jsonl', Array.from({ length: 500 }, (_, i) => JSON.stringify({ text: `text ${i}` })).join('\n'));
  const { survey, remarks } = await textSource({ kind: 'files', paths: [folder.path] }, new AbortController().signal);
  expect(survey.documents).toBe(500);
  expect(remarks.join(' ')).not.toContain('sections');
});

it('takes a data set of the Hub by its id', async () => {
  const folder = temporaryFolder();
  for (const name of ['HF_HUB_CACHE', 'HF_HOME']) vi.stubEnv(name, folder.path);
  onTestFinished(() => void vi.unstubAllEnvs());
  const lines = Array.from({ length: 50 }, (_, i) => JSON.stringify({ text: story(i) })).join('\n');
  const hub = await fakeHub({
    'datasets/owner/name': { commit: 'a'.repeat(40), files: { 'train.jsonl': lines, 'test.jsonl': lines } },
  });
  vi.stubEnv('HF_ENDPOINT', hub.url);
  const { name, remarks, open } = await textSource(
    { kind: 'files', paths: ['owner/name'] },
    new AbortController().signal,
  );
  expect([name, remarks[0]]).toEqual([
    'owner/name',
    expect.stringContaining('owner/name at aaaaaaa of the Hub: 1 file'),
  ]);
  const texts = new Set<string>();
  for (const part of ['train', 'heldout'] as const) for await (const { text } of open(part)) texts.add(text);
  expect([...texts].join('')).toContain(story(7).slice(0, 40));
});

it('refuses too little text by name, and leaves no folder', async () => {
  const folder = temporaryFolder();
  const out = join(folder.path, 'job');
  const start = (path: string) =>
    runStart({
      out,
      quiet: true,
      threads: 1,
      seed: 0,
      signal: new AbortController().signal,
      text: { topic: { kind: 'files', paths: [path] }, minutes: 1 },
    });
  await expect(start(folder.write('empty.txt', ''))).rejects.toThrow(/empty\.txt: holds no text/);
  await expect(start(folder.write('short.txt', 'hi'))).rejects.toThrow(
    /short\.txt: 1 documents or sections are too few/,
  );
  expect(existsSync(out)).toBe(false);
});

it('goes from text to a verdict; interrupted at once it leaves nothing', async () => {
  const folder = temporaryFolder();
  folder.write('own.jsonl', Array.from({ length: 600 }, (_, i) => JSON.stringify({ text: story(i) })).join('\n'));
  const out = join(folder.path, 'job');
  const job = (signal: AbortSignal) =>
    runStart({
      out,
      quiet: true,
      threads: 1,
      seed: 0,
      signal,
      text: { topic: { kind: 'files', paths: [join(folder.path, 'own.jsonl')] }, minutes: 0.05 },
    });
  await job(AbortSignal.abort());
  expect(existsSync(out)).toBe(false);
  await job(new AbortController().signal);
  const page = readFileSync(join(out, REPORT), 'utf8');
  expect(page).toMatch(/“[^”]+”, the best of 5, (is|and)/);
  expect(page).toContain('held out, by a hash of their text');
  const counts = (part: string) => ShardSet.open(join(out, `${part}-shards`)).manifest.counts.documents;
  expect(counts('train') + counts('heldout')).toBe(600);
}, 300_000);
