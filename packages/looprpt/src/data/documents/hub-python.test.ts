import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test, vi } from 'vitest';
import { type FakeModel, fakeHub } from '../../../test-support/fake-hub.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { resolveModel } from '../../checkpoint/hub.js';
import { hubFetcher } from './hub-file.js';

const run = promisify(execFile);
const python = (script: string, ...args: string[]) => run('python3', ['-c', script, ...args]);
const hasLibrary = await python('import huggingface_hub').then(
  () => true,
  () => false,
);

const commit = 'c0ffee'.padEnd(40, '0');
const model: FakeModel = {
  commit,
  files: { 'config.json': '{"a": 1}', 'tokenizer.json': '{"b": 2}', 'model.safetensors': 'weights' },
};
const data: FakeModel = { commit: 'd00d'.padEnd(40, '0'), files: { 'main/x.parquet': 'rows', 'README.md': 'words' } };

afterEach(() => vi.unstubAllEnvs());

async function setUp() {
  const cache = temporaryFolder().path;
  const hub = await fakeHub({ 'someone/tiny': model, 'datasets/someone/rows': data });
  vi.stubEnv('HF_HUB_CACHE', cache);
  vi.stubEnv('HF_HOME', cache);
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_TOKEN', '');
  vi.stubEnv('HF_HUB_OFFLINE', '');
  return { cache, hub };
}

test.skipIf(!hasLibrary)('Python finds what was downloaded here, by branch and commit, without network', async () => {
  const { hub } = await setUp();
  const folder = await resolveModel('someone/tiny');
  const rows = await hubFetcher()('someone/rows', 'main/x.parquet', 'main');
  await hub.close();
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  const { stdout } = await python(`
from huggingface_hub import hf_hub_download, snapshot_download
print(snapshot_download("someone/tiny"))
print(hf_hub_download("someone/tiny", "model.safetensors", revision="${commit}"))
print(hf_hub_download("someone/rows", "main/x.parquet", repo_type="dataset"))`);
  expect(stdout.trim().split('\n')).toEqual([folder, join(folder, 'model.safetensors'), rows]);
});

test.skipIf(!hasLibrary)(
  'what Python downloaded is found here without network, and is not fetched again with it',
  async () => {
    const { hub } = await setUp();
    const { stdout } = await python(`
from huggingface_hub import hf_hub_download
for name in ("config.json", "tokenizer.json", "model.safetensors"):
    print(hf_hub_download("someone/tiny", name))
print(hf_hub_download("someone/rows", "main/x.parquet", repo_type="dataset"))`);
    const files = stdout.trim().split('\n');
    const asked = hub.requests.length;
    const folder = await resolveModel('someone/tiny');
    expect(files[2]).toBe(join(folder, 'model.safetensors'));
    expect(await hubFetcher()('someone/rows', 'main/x.parquet', 'main')).toBe(files[3]);
    expect(hub.requests.slice(asked).filter((line) => line.includes('/resolve/'))).toEqual([]);
    expect(realpathSync(files[2]!)).toContain('/blobs/');
    await hub.close();
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await resolveModel('someone/tiny')).toBe(folder);
    expect(await hubFetcher()('someone/rows', 'main/x.parquet', 'main')).toBe(files[3]);
  },
);
