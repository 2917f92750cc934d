import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ColumnSource, parquetWriteFile } from 'hyparquet-writer';
import { describe, expect, test } from 'vitest';
import { sharedData } from '../../../test-support/shared-data.js';
import { collect, temporaryFolder } from '../../../test-support/temporary-folder.js';
import { BrokenRecords } from './broken.js';
import type { Document } from './document.js';
import type { FetchFile } from './hub-file.js';
import { type NamedSource, namedSourceSchema, readNamed } from './named.js';
import { omniMathSplit } from './omni-math-split.js';

type Settings = Partial<NamedSource> & Pick<NamedSource, 'name'>;

const read = (settings: Settings, options: { fetchFile?: FetchFile; broken?: BrokenRecords } = {}) =>
  collect(readNamed(namedSourceSchema.parse(settings), options));

const jsonl = (records: readonly object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join('');

const gsm8k = {
  question: 'Ann has 48 clips and gives half away. How many are left? ',
  answer: 'She gives 48/2 = <<48/2=24>>24 away.\nLeft are $<<1000+24=1024>>1,024.\n#### 1,024',
};

describe('gsm8k', () => {
  test('the prompt is masked, annotations are removed, the answer is in meta', async () => {
    const path = temporaryFolder().write('train.jsonl', jsonl([gsm8k]));
    const [document] = (await read({ name: 'gsm8k', path })) as [Document];
    const solution = 'She gives 48/2 = 24 away.\nLeft are $1,024.\n#### 1,024';
    const problem = gsm8k.question.trim();
    expect(document.text).toBe(`Problem: ${problem}\nSolution: ${solution}`);
    expect(document.loss!.map(([start, end]) => document.text.slice(start, end))).toEqual([solution]);
    expect(document.meta).toEqual({ dataset: 'gsm8k', split: 'train', problem, answer: '1024' });
  });

  test('the part for tuning and the rest are all, and have nothing in common', async () => {
    const records = Array.from({ length: 200 }, (_, i) => ({ ...gsm8k, question: `What is ${i}?` }));
    const path = temporaryFolder().write('train.jsonl', jsonl(records));
    const texts = async (part: NamedSource['part']) =>
      (await read({ name: 'gsm8k', path, part })).map(({ text }) => text);
    const [all, tune, rest] = await Promise.all((['all', 'tune', 'rest'] as const).map(texts));
    expect(all).toHaveLength(200);
    expect([...tune!, ...rest!].sort()).toEqual(all!.toSorted());
    expect(tune!.length).toBeGreaterThan(2);
    expect(tune!.length).toBeLessThan(25);
  });

  test('annotations and the prompt in the loss can be kept', async () => {
    const path = temporaryFolder().write('train.jsonl', jsonl([gsm8k]));
    const [document] = await read({ name: 'gsm8k', path, calculator: 'keep', maskPrompt: false });
    expect(document?.text).toContain('48/2 = <<48/2=24>>24 away');
    expect(document?.loss).toBeUndefined();
  });

  test('a record that is not of the data set is broken, with its line', async () => {
    const path = temporaryFolder().write('train.jsonl', jsonl([gsm8k, { ...gsm8k, answer: '12' }, { text: 'x' }]));
    await expect(read({ name: 'gsm8k', path })).rejects.toThrow(
      `${path}:2: no record of gsm8k: field 'answer': has no final answer behind '####'`,
    );
    const broken = new BrokenRecords('skip');
    expect(await read({ name: 'gsm8k', path }, { broken })).toHaveLength(1);
    expect(broken.count).toBe(2);
  });

  test('the held-out split is the test file; from the Hub it comes as Parquet', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder.path, 'main'));
    const columns = ['question', 'answer'] as const;
    parquetWriteFile({
      filename: join(folder.path, 'main/test-00000-of-00001.parquet'),
      columnData: columns.map((name) => ({ name, data: [gsm8k[name]], type: 'STRING' }) as ColumnSource),
    });
    const asked: string[] = [];
    const fetchFile: FetchFile = async (repo, path, revision) => {
      asked.push(`${repo} ${path} ${revision}`);
      return join(folder.path, path);
    };
    const fromHub = await read({ name: 'gsm8k', split: 'heldout' }, { fetchFile });
    expect(asked).toEqual(['openai/gsm8k main/test-00000-of-00001.parquet main']);
    expect(fromHub.map(({ meta }) => meta?.answer)).toEqual(['1024']);
    expect(await read({ name: 'gsm8k', split: 'heldout', path: folder.path })).toEqual(fromHub);
    await expect(read({ name: 'gsm8k', path: folder.path })).rejects.toThrow(
      `${folder.path}: holds no train split of gsm8k; expected train.jsonl; or main/train-00000-of-00001.parquet`,
    );
  });
});

describe('omni-math', () => {
  const records = Array.from({ length: 260 }, (_, n) => ({
    domain: ['Mathematics -> Algebra', 'other'],
    difficulty: n / 50,
    problem: `Problem number ${n}, Größe ½`,
    solution: `It is ${n}.`,
    answer: `$${n}$`,
    source: 'made up',
  }));
  const hash = (text: string) => createHash('sha256').update(Buffer.from(text, 'utf8')).digest('hex');

  test('the first 200 by SHA-256 of the problem are held out of the whole file', async () => {
    const path = temporaryFolder().write('Omni-Math.jsonl', jsonl(records));
    const sorted = records.map(({ problem }) => problem).sort((a, b) => (hash(a) < hash(b) ? -1 : 1));
    const problems = async (split: 'train' | 'heldout') =>
      (await read({ name: 'omni-math', path, split })).map(({ meta }) => meta?.problem);
    expect(await problems('heldout')).toEqual(sorted.slice(0, 200));
    expect(await problems('train')).toEqual(sorted.slice(200));
  });

  test('problems that differ in case and white space only are one, the first', () => {
    const same = ['Find x.', 'find  X.', 'FIND\nx.', 'Find y.'].map((problem, index) => ({ problem, index }));
    expect(
      omniMathSplit(same, 'heldout')
        .map(({ index }) => index)
        .sort(),
    ).toEqual([0, 3]);
  });

  test('files that are split already are taken as they are', async () => {
    const folder = temporaryFolder();
    folder.write('train.jsonl', jsonl(records.slice(0, 3)));
    folder.write('heldout.jsonl', jsonl(records.slice(3, 5)));
    for (const path of [folder.path, join(folder.path, 'heldout.jsonl')]) {
      const heldout = await read({ name: 'omni-math', split: 'heldout', path });
      expect(heldout.map(({ meta }) => meta?.answer)).toEqual(['$3$', '$4$']);
      expect(heldout[0]?.meta).toMatchObject({ difficulty: 0.06, domain: 'Mathematics -> Algebra', source: 'made up' });
    }
  });
});

describe('math', () => {
  const record = { problem: 'p', solution: 's', answer: 'a', subject: 'Algebra', level: 2, unique_id: 'x/1.json' };

  test('MATH-500 is held out; a training split must be given', async () => {
    const path = temporaryFolder().write('math500.jsonl', jsonl([record]));
    const fetchFile: FetchFile = async (repo, file) => {
      expect([repo, file]).toEqual(['HuggingFaceH4/MATH-500', 'test.jsonl']);
      return path;
    };
    const [document] = await read({ name: 'math', split: 'heldout' }, { fetchFile });
    expect(document?.meta).toMatchObject({ answer: 'a', difficulty: 2, subject: 'Algebra', id: 'x/1.json' });
    await expect(read({ name: 'math' }, { fetchFile })).rejects.toThrow("MATH-500 has no split 'train'");
  });
});

describe("MATH's own records", () => {
  const own = {
    problem: 'What is $1+1$?',
    level: 'Level 4',
    type: 'Algebra',
    solution: 'We add: $1+1=\\boxed{\\frac{4}{2}}$.',
  };
  const meta = { dataset: 'math', problem: own.problem, answer: '\\frac{4}{2}', difficulty: 4, subject: 'Algebra' };

  test('have their answer in the last box of the solution', async () => {
    const path = temporaryFolder().write('train.jsonl', jsonl([own]));
    const [document] = (await read({ name: 'math', path })) as [Document];
    expect(document.text).toBe(`Problem: ${own.problem}\nSolution: ${own.solution}`);
    expect(document.meta).toEqual({ ...meta, split: 'train' });
    const without = temporaryFolder().write('train.jsonl', jsonl([{ ...own, solution: 'It is 2.' }]));
    await expect(read({ name: 'math', path: without })).rejects.toThrow(
      `${without}:1: no record of math: field 'answer': is missing, and the solution has no \\boxed{…}`,
    );
  });

  test('are found as the authors publish them, a file each in a folder a subject', async () => {
    const folder = temporaryFolder();
    folder.write('train/algebra/10.json', JSON.stringify(own, null, 4));
    folder.write('train/algebra/2.json', JSON.stringify({ ...own, level: 'Level ?' }, null, 4));
    folder.write('test/geometry/1.json', JSON.stringify({ ...own, type: 'Geometry' }));
    const of = async (split: 'train' | 'heldout') =>
      (await read({ name: 'math', path: folder.path, split })).map((document) => document.meta);
    expect(await of('train')).toEqual([
      { ...meta, split: 'train' },
      { ...meta, split: 'train', difficulty: 'Level ?' },
    ]);
    expect(await of('heldout')).toEqual([{ ...meta, split: 'heldout', subject: 'Geometry' }]);
    await expect(read({ name: 'math', path: join(folder.path, 'train') })).rejects.toThrow(
      'expected train.jsonl; or train/*/*.json; or */train-*.parquet',
    );
  });

  test('without a solution cannot be trained on', async () => {
    const path = temporaryFolder().write('train.jsonl', jsonl([{ problem: 'p', answer: '2' }]));
    await expect(read({ name: 'math', path })).rejects.toThrow("field 'solution': is missing");
  });
});

describe('the real files', () => {
  test('gsm8k', async ({ skip }) => {
    const path = sharedData('gsm8k');
    if (path === null) return skip('no folder with the public data sets beside the repository');
    const [train, heldout] = [
      await read({ name: 'gsm8k', path }),
      await read({ name: 'gsm8k', path, split: 'heldout' }),
    ];
    expect([train.length, heldout.length]).toEqual([7473, 1319]);
    for (const { text, meta } of [...train, ...heldout]) {
      expect(text).not.toMatch(/<<|>>/);
      expect(meta?.answer).toMatch(/^-?[\d.]+$/);
    }
  });

  test('omni-math: the raw files give the split that was made from them', async ({ skip }) => {
    const path = sharedData('omni-math');
    if (path === null) return skip('no folder with the public data sets beside the repository');
    for (const [split, count] of [
      ['train', 2767],
      ['heldout', 200],
    ] as const) {
      const fromRaw = await read({ name: 'omni-math', split, path: join(path, 'raw') });
      const asSplit = await read({ name: 'omni-math', split, path });
      expect(asSplit).toHaveLength(count);
      expect(fromRaw).toEqual(asSplit);
    }
  });

  test('math', async ({ skip }) => {
    const path = sharedData('math');
    if (path === null) return skip('no folder with the public data sets beside the repository');
    expect(await read({ name: 'math', split: 'heldout', path })).toHaveLength(500);
  });
});
