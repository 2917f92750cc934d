/** Data sets of the Hub as files here, against a server that answers as the Hub does. */
import { readFileSync } from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { fakeHub } from '../../../test-support/fake-hub.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { hubDataset, hubDatasetId } from './hub-dataset.js';

afterEach(() => vi.unstubAllEnvs());

const commit = 'a'.repeat(40);
const FILES = {
  'README.md': 'about',
  'dataset_infos.json': '{}',
  'data/test-00000.jsonl': '{"text":"no"}',
  'data/train-00000.jsonl': '{"text":"one"}\n',
  'data/train-00001.jsonl': '{"text":"two"}\n',
  'extra/strained.txt': 'no training',
};

async function hubOf(files: Record<string, string>) {
  const cache = temporaryFolder();
  for (const [name, value] of Object.entries({
    HF_HUB_CACHE: cache.path,
    HF_HOME: cache.path,
    HF_TOKEN: '',
    HF_HUB_OFFLINE: '',
  }))
    vi.stubEnv(name, value);
  const hub = await fakeHub({ 'datasets/owner/name': { commit, files } });
  vi.stubEnv('HF_ENDPOINT', hub.url);
  return hub;
}

const take = (text: string, most?: number) => hubDataset(hubDatasetId(text)!, most);
const textOf = ({ files }: { files: string[] }): string => files.map((file) => readFileSync(file, 'utf8')).join('');

it('knows an id from a path and from what is neither', () => {
  const id = { name: 'owner/name', revision: 'main', folder: '' };
  expect(hubDatasetId('owner/name')).toEqual(id);
  expect(hubDatasetId('hf://datasets/owner/name/')).toEqual(id);
  expect(hubDatasetId('hf://datasets/owner/name@v1/data/en')).toEqual({ ...id, revision: 'v1', folder: 'data/en' });
  expect(hubDatasetId('owner/name@v1')).toEqual({ ...id, revision: 'v1' });
  for (const other of ['owner', 'a/b/c', './a/b', '/a/b', 'a/*.txt', process.cwd()])
    expect(hubDatasetId(other)).toBeNull();
  expect(() => hubDatasetId('hf://models')).toThrow('not hf://datasets/OWNER/NAME');
});

it('takes the files of the training split, and no more than asked', async () => {
  await hubOf(FILES);
  const whole = await take('owner/name');
  expect(textOf(whole)).toBe(`${FILES['data/train-00000.jsonl']}${FILES['data/train-00001.jsonl']}`);
  expect(whole.remark).toBe('owner/name at aaaaaaa of the Hub: 2 files, 1 kB.');
  const part = await take('owner/name', 20);
  expect(textOf(part)).toBe(FILES['data/train-00000.jsonl']);
  expect(part.remark).toContain('the first 1 of 2 files');
  await expect(take('owner/name', 5)).rejects.toThrow(/data\/train-00000\.jsonl has 1 kB, more than .* download it/);
  expect(textOf(await take('hf://datasets/owner/name/extra'))).toBe('no training');
});

it('without a training split leaves out what is to be judged by, and says so where folders are several', async () => {
  await hubOf({ 'en/all.txt': 'en', 'fr/all.txt': 'fr', 'en/test.txt': 'no' });
  const both = await take('owner/name');
  expect(textOf(both)).toBe('enfr');
  expect(both.remark).toContain('from en, fr (hf://datasets/owner/name/FOLDER takes one)');
});

it('works from the cache without network, and says in a line what is not there', async () => {
  const hub = await hubOf(FILES);
  await expect(take('owner/other')).rejects.toThrow(/owner\/other: no such file or folder, and as a data set: no such/);
  await expect(take('hf://datasets/owner/name/none')).rejects.toThrow(/owner\/name\/none: .* holds no file/);
  const before = await take('owner/name');
  await hub.close();
  const after = await take('owner/name');
  expect(after.files).toEqual(before.files);
  expect(after.remark).toContain('what the Hub');
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  expect((await take('owner/name')).files).toEqual(before.files);
  await expect(take('owner/other')).rejects.toThrow(/not from the Hub \(HF_HUB_OFFLINE/);
});
