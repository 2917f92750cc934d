import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../base/user-error.js';
import { lossFault } from '../documents/document.js';
import {
  documentAt,
  generatedDocuments,
  listTasks,
  splits,
  taskConfig,
  taskConfigFromStrings,
  writeDocuments,
} from './index.js';

const tasks = ['hop', 'mano', 'arithmetic', 'stories', 'mixture'] as const;

describe('documentAt', () => {
  test.each(tasks)('%s: pure in config, seed, split and index, in any order, with valid loss ranges', (task) => {
    const config = taskConfig(task);
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.constantFrom(...splits), fc.maxSafeNat(), (seed, split, index) => {
        const document = documentAt(config, seed, split, index);
        documentAt(config, seed, split, 0);
        expect(documentAt(config, seed, split, index)).toEqual(document);
        expect(lossFault(document.loss!, document.text.length)).toBeUndefined();
        expect(document.text).not.toMatch(/ {2}|^\s|\s$/);
      }),
      { numRuns: 20 },
    );
  });

  test.each(tasks)('%s: documents of different indices and seeds differ', (task) => {
    const config = taskConfig(task);
    const texts = [0, 1].flatMap((seed) =>
      [...generatedDocuments(config, { seed, split: 'train', count: 100 })].map(({ text }) => text),
    );
    expect(new Set(texts).size).toBe(200);
  });

  test('the stream from the middle equals the middle of the stream', () => {
    const config = taskConfig('mixture');
    const stream = { seed: 9, split: 'tune' } as const;
    const all = [...generatedDocuments(config, { ...stream, count: 12 })];
    expect([...generatedDocuments(config, { ...stream, from: 5, count: 7 })]).toEqual(all.slice(5));
  });

  test('without masking everything counts', () => {
    for (const task of ['hop', 'mano', 'arithmetic', 'stories'] as const) {
      const [masked, open] = [true, false].map((maskPrompt) =>
        documentAt(taskConfig(task, { maskPrompt }), 0, 'train', 0),
      );
      expect(open?.text).toBe(masked?.text);
      expect(open?.loss).toBeUndefined();
    }
  });

  test('a mixture keeps to its weights', () => {
    const config = taskConfig('mixture', {
      parts: [{ weight: 3, config: { task: 'hop', queries: 1 } }, { config: { task: 'mano' } }],
    });
    const counts: Record<string, number> = { hop: 0, mano: 0 };
    for (const { meta } of generatedDocuments(config, { seed: 0, split: 'train', count: 800 })) {
      counts[String(meta?.task)]!++;
    }
    expect(Math.abs(counts.hop! - 600)).toBeLessThan(60);
    expect(counts.hop! + counts.mano!).toBe(800);
  });
});

describe('taskConfig', () => {
  test.each([
    ['nope', [], /^no task 'nope'; there are: hop, mano, arithmetic, stories, mixture$/],
    ['hop', ['hop=3'], /^task 'hop': .*hop/],
    ['hop', ['hops=x'], /^task 'hop', setting 'hops': /],
    ['hop', ['symbols=9', 'alphabet=8'], /^task 'hop', setting 'alphabet': must be at least as large as symbols$/],
    ['mano', ['operators=[/]'], /^task 'mano', setting 'operators.0': /],
    ['hop', ['hops'], /^--set hops: expected key=value$/],
    ['hop', ['hops=['], /^--set hops=\[: the value is no YAML/],
    ['mixture', ['parts=[{config: {task: hop, hops: 0}}]'], /^task 'mixture', setting 'parts.0.config.hops': /],
  ])('%s with %j is refused in one line', (task, assignments, message) => {
    const make = () => taskConfigFromStrings(task, assignments);
    expect(make).toThrow(UserError);
    expect(make).toThrow(message);
    expect(make).toThrow(/^[^\n]*$/);
  });

  test('settings come from strings, with defaults for the rest', () => {
    expect(taskConfigFromStrings('mano', ['modulus=7', 'operators=[+, "*"]', 'maskPrompt=false'])).toEqual({
      ...taskConfig('mano'),
      modulus: 7,
      operators: ['+', '*'],
      maskPrompt: false,
    });
  });

  test('the list names every task, and each setting with a description', () => {
    const list = listTasks();
    expect(list.map(({ name }) => name)).toEqual(tasks);
    for (const { settings } of list) for (const { describe: text } of settings) expect(text).not.toBe('');
    expect(list[0]?.settings.find(({ name }) => name === 'queries')?.default).toBe(24);
  });
});

describe('writeDocuments', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'looprpt-tasks-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('writes one document a line, the same bytes each time, and leaves nothing else', async () => {
    const config = taskConfig('stories');
    const progress: number[] = [];
    const options = { seed: 4, split: 'heldout', count: 50 } as const;
    const [first, second] = [join(folder, 'a.jsonl'), join(folder, 'b.jsonl')];
    await writeDocuments(config, { ...options, out: first, onProgress: (written) => progress.push(written) });
    await writeDocuments(config, { ...options, out: second });
    const lines = (await readFile(first, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([...generatedDocuments(config, options)]);
    expect(await readFile(second)).toEqual(await readFile(first));
    expect(progress.at(-1)).toBe(50);
    expect((await readdir(folder)).sort()).toEqual(['a.jsonl', 'b.jsonl']);
  });

  test('a task that fails midway leaves no file', async () => {
    const config = taskConfig('stories', { minSteps: 12, maxSteps: 12, people: 3, items: 1 });
    const out = join(folder, 'a.jsonl');
    await expect(writeDocuments(config, { seed: 0, split: 'train', count: 5, out })).rejects.toThrow('no room');
    expect(await readdir(folder)).toEqual([]);
  });

  test.each([
    [{ count: 0 }, 'count 0: must be'],
    [{ seed: -1 }, 'seed -1: must be'],
    [{ out: '/no/such/folder/a.jsonl' }, 'there is no folder /no/such/folder'],
  ])('refuses %j', async (wrong, message) => {
    const options = { seed: 0, split: 'train', count: 1, out: join(folder, 'a.jsonl'), ...wrong } as const;
    await expect(writeDocuments(taskConfig('hop'), options)).rejects.toThrow(message);
  });
});
