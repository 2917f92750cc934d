import { existsSync, mkdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type FakeModel, fakeHub } from '../../../test-support/fake-hub.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { cachedFile, hubFetcher } from './hub-file.js';

afterEach(() => vi.unstubAllEnvs());

const repo = { type: 'dataset', name: 'openai/gsm8k' } as const;
const root = 'datasets--openai--gsm8k';
const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(40)) as [string, string, string];

function cacheOfItsOwn() {
  const cache = temporaryFolder();
  vi.stubEnv('HF_HUB_CACHE', cache.path);
  vi.stubEnv('HF_HOME', cache.path);
  vi.stubEnv('HF_TOKEN', '');
  vi.stubEnv('HF_HUB_OFFLINE', '');
  return cache;
}

describe('cachedFile', () => {
  test('the snapshot of the revision is preferred, then the newest that has the file', async () => {
    const cache = cacheOfItsOwn();
    const old = cache.write(`${root}/snapshots/${a}/main/x.parquet`, '1');
    const newer = cache.write(`${root}/snapshots/${b}/main/x.parquet`, '2');
    mkdirSync(join(cache.path, root, 'snapshots', c));
    utimesSync(old, 1000, 1000);
    utimesSync(newer, 2000, 2000);
    cache.write(`${root}/refs/main`, `${a}\n`);
    const find = (revision: string, path = 'main/x.parquet') => cachedFile(repo, path, revision);
    expect(await find('main')).toBe(old);
    expect(await find(a)).toBe(old);
    expect(await find('other')).toBe(newer);
    expect(await find('main', 'main/y.parquet')).toBeNull();
    expect(await cachedFile({ ...repo, name: 'someone/else' }, 'main/x.parquet', 'main')).toBeNull();
  });
});

describe('hubFetcher', () => {
  const dataset = (commit: string): FakeModel => ({
    commit,
    files: { 'main/x.parquet': `x of ${commit}`, 'main/y.parquet': `y of ${commit}` },
  });
  const setUp = async () => {
    const cache = cacheOfItsOwn();
    const hub = await fakeHub({ 'datasets/openai/gsm8k': dataset(a) });
    vi.stubEnv('HF_ENDPOINT', hub.url);
    return { cache, hub };
  };

  test('files of a branch are of one commit, which the cache knows by the branch', async () => {
    const { cache, hub } = await setUp();
    const fetchFile = hubFetcher();
    const debug = vi.spyOn(console, 'debug');
    const x = await fetchFile(repo.name, 'main/x.parquet', 'main');
    expect(x).toBe(join(cache.path, root, 'snapshots', a, 'main/x.parquet'));
    expect(readFileSync(x, 'utf8')).toBe(`x of ${a}`);
    expect(readFileSync(join(cache.path, root, 'refs/main'), 'utf8')).toBe(a);
    await fetchFile(repo.name, 'main/y.parquet', 'main');
    expect(hub.requests.filter((line) => line.includes('/revision/')).length).toBe(1);
    expect(debug).not.toHaveBeenCalled();
    hub.models['datasets/openai/gsm8k'] = dataset(b);
    expect(await hubFetcher()(repo.name, 'main/y.parquet', 'main')).toContain(b);
    expect(readFileSync(join(cache.path, root, 'refs/main'), 'utf8')).toBe(b);
  });

  test('a commit that is here needs no request, a branch none offline', async () => {
    const { hub } = await setUp();
    const x = await hubFetcher()(repo.name, 'main/x.parquet', 'main');
    const asked = hub.requests.length;
    expect(await hubFetcher()(repo.name, 'main/x.parquet', a)).toBe(x);
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await hubFetcher()(repo.name, 'main/x.parquet', 'main')).toBe(x);
    await expect(hubFetcher()(repo.name, 'main/y.parquet', 'main')).rejects.toThrow(/\(HF_HUB_OFFLINE forbids it\)/);
    expect(hub.requests.length).toBe(asked);
  });

  test('what is damaged on the way does not stay', async () => {
    const { cache, hub } = await setUp();
    hub.models['datasets/openai/gsm8k']!.damaged = { 'main/x.parquet': 'another'.padEnd(45, '.') };
    await expect(hubFetcher()(repo.name, 'main/x.parquet', 'main')).rejects.toThrow(/came damaged/);
    expect(existsSync(join(cache.path, root, 'refs/main'))).toBe(false);
    hub.models['datasets/openai/gsm8k']!.damaged = {};
    expect(readFileSync(await hubFetcher()(repo.name, 'main/x.parquet', 'main'), 'utf8')).toBe(`x of ${a}`);
  });

  test('what is not there is one clear line', async () => {
    await setUp();
    const fails = (name: string, path: string) => expect(hubFetcher()(name, path, 'main')).rejects;
    await fails(repo.name, 'main/z.parquet').toThrow(/\(main has no such file\); give a local path instead$/);
    await fails('someone/else', 'main/x.parquet').toThrow(/\(no such repository, revision or file on http/);
  });

  test('without network a cached copy serves, anything else is one clear line', async () => {
    const cache = cacheOfItsOwn();
    // Port 9 (discard) of this machine: refused at once.
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    const cached = cache.write(`${root}/snapshots/${a}/main/x.parquet`, '1');
    expect(await hubFetcher()(repo.name, 'main/x.parquet', 'main')).toBe(cached);
    await expect(hubFetcher()(repo.name, 'main/y.parquet', 'main')).rejects.toThrow(
      /^main\/y\.parquet of openai\/gsm8k is not in the Hub's cache and cannot be downloaded \(.*\); give a local path instead$/,
    );
  });
});
