import { mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { cachedFile, fetchFromHub } from './hub-file.js';

afterEach(() => vi.unstubAllEnvs());

const repo = 'openai/gsm8k';
const root = 'datasets--openai--gsm8k';

describe('cachedFile', () => {
  test('the snapshot of the revision is preferred, then the newest that has the file', async () => {
    const cache = temporaryFolder();
    const old = cache.write(`${root}/snapshots/aaa/main/x.parquet`, '1');
    const newer = cache.write(`${root}/snapshots/bbb/main/x.parquet`, '2');
    mkdirSync(join(cache.path, root, 'snapshots/ccc'));
    utimesSync(old, 1000, 1000);
    utimesSync(newer, 2000, 2000);
    cache.write(`${root}/refs/main`, 'aaa\n');
    const find = (revision: string, path = 'main/x.parquet') => cachedFile(cache.path, repo, path, revision);
    expect(await find('main')).toBe(old);
    expect(await find('aaa')).toBe(old);
    expect(await find('other')).toBe(newer);
    expect(await find('main', 'main/y.parquet')).toBeNull();
    expect(await cachedFile(cache.path, 'someone/else', 'main/x.parquet', 'main')).toBeNull();
  });
});

describe('fetchFromHub without network', () => {
  test('a cached copy serves, anything else is one clear line', async () => {
    const cache = temporaryFolder();
    vi.stubEnv('HF_HUB_CACHE', cache.path);
    // Port 9 (discard) of this machine: refused at once.
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    const cached = cache.write(`${root}/snapshots/aaa/main/x.parquet`, '1');
    expect(await fetchFromHub(repo, 'main/x.parquet', 'main')).toBe(cached);
    await expect(fetchFromHub(repo, 'main/y.parquet', 'main')).rejects.toThrow(
      /^main\/y\.parquet of openai\/gsm8k is not in the Hub's cache and cannot be downloaded \(.*\); give a local path instead$/,
    );
  });
});
