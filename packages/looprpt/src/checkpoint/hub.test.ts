import { existsSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { paramsBytes } from '../../test-support/checkpoint-folder.js';
import { type FakeModel, fakeHub } from '../../test-support/fake-hub.js';
import { configJson, tinyModel } from '../../test-support/slow/tiny-model.js';
import { temporaryFolder } from '../../test-support/temporary-folder.js';
import { UserError } from '../base/user-error.js';
import { loadModel } from './folder.js';
import { resolveModel } from './hub.js';

const commit = 'c0ffee'.padEnd(40, '0');
const name = 'someone/tiny-ouro';
const tiny = tinyModel(1);

function model(): FakeModel {
  const names = Object.keys(tiny.params);
  const half = (first: boolean) =>
    Object.fromEntries(names.flatMap((n, i) => (i < 9 === first ? [[n, tiny.params[n]!] as const] : [])));
  return {
    commit,
    files: {
      'model-1.safetensors': paramsBytes(half(true), 'F32'),
      'model-2.safetensors': paramsBytes(half(false), 'F32'),
      'config.json': JSON.stringify(configJson(tiny.config)),
      'model.safetensors.index.json': JSON.stringify({
        weight_map: Object.fromEntries(names.map((n, i) => [n, `model-${i < 9 ? 1 : 2}.safetensors`])),
      }),
      'tokenizer.json': '{}',
      'chat_template.jinja': '{{ messages }}',
      'README.md': 'not needed',
      'pytorch_model.bin': 'not needed',
    },
  };
}

afterEach(() => vi.unstubAllEnvs());

/** A cache of its own and a hub with this model, both for this test. */
async function setUp(served: FakeModel = model()) {
  const cache = temporaryFolder().path;
  const hub = await fakeHub({ [name]: served });
  vi.stubEnv('HF_HUB_CACHE', cache);
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_HOME', join(cache, 'home'));
  vi.stubEnv('HF_TOKEN', '');
  vi.stubEnv('HF_TOKEN_PATH', '');
  vi.stubEnv('HF_HUB_OFFLINE', '');
  return { cache, hub };
}

/** The one line of a refusal. */
async function refusal(idOrPath: string): Promise<string> {
  const error: unknown = await resolveModel(idOrPath).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UserError);
  const { message } = error as UserError;
  expect(message).not.toContain('\n');
  return message;
}

const snapshot = (cache: string, at = commit): string => join(cache, 'models--someone--tiny-ouro/snapshots', at);

describe('resolveModel', () => {
  test('an existing folder is itself', async () => {
    const { hub } = await setUp();
    const folder = temporaryFolder().path;
    expect(await resolveModel(folder)).toBe(folder);
    expect(hub.requests).toEqual([]);
  });

  test("downloads what is needed, in the Hub's own layout, weights last", async () => {
    const { cache } = await setUp();
    const files: string[] = [];
    const print = vi.spyOn(console, 'debug');
    const folder = await resolveModel(name, { onFile: (file) => files.push(file.name) });
    expect(print).not.toHaveBeenCalled();
    expect(folder).toBe(snapshot(cache));
    expect(files.slice(-2)).toEqual(['model-1.safetensors', 'model-2.safetensors']);
    expect(readdirSync(folder).sort()).toEqual([
      'chat_template.jinja',
      'config.json',
      'model-1.safetensors',
      'model-2.safetensors',
      'model.safetensors.index.json',
      'tokenizer.json',
    ]);
    expect(readFileSync(join(cache, 'models--someone--tiny-ouro/refs/main'), 'utf8')).toBe(commit);
    expect(readdirSync(join(cache, 'models--someone--tiny-ouro/blobs')).length).toBe(6);
    // The snapshot's files are links out of it, which the loader must follow here.
    const loaded = loadModel(folder);
    expect(loaded.config.layers).toBe(tiny.config.layers);
    loaded.dispose();
  });

  test('fetches no weights where none are needed, and all of them later', async () => {
    const { cache } = await setUp();
    const described = await resolveModel(name, { weights: false });
    expect(readdirSync(described).sort()).toEqual([
      'chat_template.jinja',
      'config.json',
      'model.safetensors.index.json',
      'tokenizer.json',
    ]);
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await resolveModel(name, { weights: false })).toBe(described);
    expect(await refusal(name)).toContain("not in the Hub's cache");
    vi.stubEnv('HF_HUB_OFFLINE', '');
    expect(await resolveModel(name)).toBe(snapshot(cache));
    expect(readdirSync(described)).toContain('model-2.safetensors');
  });

  test('a second call asks only which commit it is, and what the files are', async () => {
    const { hub } = await setUp();
    const first = await resolveModel(name);
    const asked = hub.requests.length;
    expect(await resolveModel(name)).toBe(first);
    expect(hub.requests.slice(asked).map((line) => line.split('?')[0])).toEqual([
      `GET /api/models/${name}/revision/main`,
      `GET /api/models/${name}/tree/${commit}`,
    ]);
  });

  test('follows a branch to a new commit; files that did not change are not fetched again', async () => {
    const { hub, cache } = await setUp();
    const old = await resolveModel(name);
    const next = 'beef'.padEnd(40, '0');
    hub.models[name] = { ...model(), commit: next };
    hub.models[name].files['tokenizer.json'] = '{"new": true}';
    const asked = hub.requests.length;
    expect(await resolveModel(name)).toBe(snapshot(cache, next));
    const fetched = hub.requests.slice(asked).filter((line) => line.includes('/resolve/'));
    expect(new Set(fetched.map((line) => basename(line)))).toEqual(new Set(['tokenizer.json']));
    expect(await resolveModel(`${name}@${next}`)).toBe(snapshot(cache, next));
    expect(old).toBe(snapshot(cache));
  });

  test('without network the cache serves: a branch, a commit', async () => {
    const { hub, cache } = await setUp();
    await resolveModel(name);
    await hub.close();
    for (const id of [name, `${name}@main`, `${name}@${commit}`]) expect(await resolveModel(id)).toBe(snapshot(cache));
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    expect(await resolveModel(name)).toBe(snapshot(cache));
  });

  test('a full commit that is in the cache needs no request', async () => {
    const { hub } = await setUp();
    await resolveModel(`${name}@${commit}`);
    const asked = hub.requests.length;
    await resolveModel(`${name}@${commit}`);
    expect(hub.requests.length).toBe(asked);
  });

  test('a download that broke off does not count as cached, and is completed by the next', async () => {
    const { hub, cache } = await setUp();
    const folder = await resolveModel(name);
    const shard = join(folder, 'model-2.safetensors');
    unlinkSync(shard);
    const url = hub.url;
    vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9');
    expect(await refusal(name)).toMatch(/not in the Hub's cache, and the download from http:.*:9 failed/);
    vi.stubEnv('HF_ENDPOINT', url);
    expect(await resolveModel(name)).toBe(snapshot(cache));
    expect(existsSync(shard)).toBe(true);
    expect(basename(dirname(folder))).toBe('snapshots');
  });

  test('a token is sent; gated and unknown models are one clear line', async () => {
    const { cache } = await setUp({ ...model(), gated: true });
    expect(await refusal(name)).toMatch(/^someone\/tiny-ouro: .*if it is private or gated, set HF_TOKEN$/);
    vi.stubEnv('HF_TOKEN', 'hf_stranger');
    expect(await refusal(name)).toMatch(/access is restricted; accept the conditions at http:.*someone\/tiny-ouro/);
    vi.stubEnv('HF_TOKEN', 'hf_friend');
    expect(await resolveModel(name)).toBe(snapshot(cache));
    expect(await refusal('someone/else')).toMatch(
      /^someone\/else: no such folder, and no such model or revision on http/,
    );
    expect(await refusal(`${name}@v2`)).toMatch(/^someone\/tiny-ouro@v2: .*no such model or revision/);
  });

  test.each([
    ['no configuration', { 'config.json': undefined }, 'the repository has no config.json, so it is not a model'],
    [
      'no weights',
      { 'model.safetensors.index.json': undefined },
      'the repository has no safetensors weights (model.safetensors or model.safetensors.index.json)',
    ],
    [
      'a shard that is not there',
      { 'model-2.safetensors': undefined },
      'the repository has no model-2.safetensors, which model.safetensors.index.json lists',
    ],
  ])('a repository with %s', async (_, change, message) => {
    const files = { ...model().files, ...change } as Record<string, string | undefined>;
    await setUp({
      commit,
      files: Object.fromEntries(Object.entries(files).filter(([, content]) => content !== undefined)) as Record<
        string,
        string
      >,
    });
    expect(await refusal(name)).toBe(`${name}: ${message}`);
  });

  test('what is neither a folder nor an id', async () => {
    const { hub } = await setUp();
    for (const id of ['./nowhere', '../a/b', 'gpt2', 'a/b/c', 'a/b@', 'a/b@../x', ''])
      expect(await refusal(id)).toMatch(/no such folder, and not the id of a model on the Hub/);
    const file = temporaryFolder().write('model.safetensors', '');
    expect(await refusal(file)).toMatch(/not a folder/);
    expect(hub.requests).toEqual([]);
  });

  test('a file that is not what the Hub says is refused, and fetched anew by the next', async () => {
    for (const [file, damage, fault] of [
      ['config.json', '{}', / came damaged from http:.* \(2 bytes in place of \d+\); try again$/],
      ['tokenizer.json', '{', /tokenizer\.json came damaged/],
      ['tokenizer.json', '[]', /tokenizer\.json came damaged from .* \(git's hash differs\)/],
    ] as const) {
      const { hub } = await setUp({ ...model(), damaged: { [file]: damage } });
      expect(await refusal(name)).toMatch(fault);
      hub.models[name]!.damaged = {};
      expect(loadModel(await resolveModel(name)).config.layers).toBe(tiny.config.layers);
    }
    const whole = Buffer.from(model().files['model-2.safetensors'] as Uint8Array);
    const { cache, hub } = await setUp({ ...model(), damaged: { 'model-2.safetensors': 'x'.repeat(whole.length) } });
    expect(await refusal(name)).toMatch(/model-2\.safetensors came damaged from .* \(SHA-256 differs\)/);
    expect(existsSync(join(cache, 'models--someone--tiny-ouro/refs/main'))).toBe(false);
    hub.models[name]!.damaged = {};
    expect(readFileSync(join(await resolveModel(name), 'model-2.safetensors')).equals(whole)).toBe(true);
  });

  test("the login's token serves where the environment has none; no form of token is refused", async () => {
    const { cache, hub } = await setUp({ ...model(), gated: true });
    const login = temporaryFolder().write('token', 'a-token-of-a-mirror\n');
    vi.stubEnv('HF_TOKEN_PATH', login);
    expect(await resolveModel(name)).toBe(snapshot(cache));
    expect([...hub.tokens]).toEqual(['a-token-of-a-mirror']);
    vi.stubEnv('HF_TOKEN', 'hf_friend');
    await resolveModel(name);
    expect([...hub.tokens]).toEqual(['a-token-of-a-mirror', 'hf_friend']);
    vi.stubEnv('HF_HUB_DISABLE_IMPLICIT_TOKEN', '1');
    hub.models[name] = { ...model(), commit: 'beef'.padEnd(40, '0'), gated: true };
    expect(await refusal(name)).toContain('if it is private or gated, set HF_TOKEN');
    vi.stubEnv('HF_HUB_DISABLE_IMPLICIT_TOKEN', '');
    for (const variable of ['HF_TOKEN', 'HF_TOKEN_PATH']) vi.stubEnv(variable, '');
    mkdirSync(join(cache, 'home'));
    writeFileSync(join(cache, 'home/token'), 'hf_home');
    await resolveModel(name);
    expect([...hub.tokens].at(-1)).toBe('hf_home');
  });
});
