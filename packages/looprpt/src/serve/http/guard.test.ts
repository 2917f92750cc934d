/** Who may ask from where: host names, origins of pages, and the names of requests. */
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startTestServer, type TestServer, type TestServerOptions } from '../../../test-support/serve/test-server.js';
import { isLoopback } from './host-name.js';

async function start(server: TestServerOptions['server'] = {}): Promise<TestServer> {
  const served = await startTestServer({ server });
  onTestFinished(() => served[Symbol.asyncDispose]());
  return served;
}

interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** `fetch` does not let a Host header pass. */
function ask({ url }: TestServer, path: string, headers: Record<string, string>, method = 'GET'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request(url + path, { method, headers }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    });
    asked.on('error', reject).end();
  });
}

const PATHS = ['/', '/health', '/ready', '/metrics', '/v1/models', '/openapi.json', '/nothing'];
const OWN = [
  'localhost',
  'localhost:8000',
  '127.0.0.1:1',
  '127.9.9.9',
  '[::1]:8000',
  'LocalHost',
  'a.localhost',
  'localhost.',
];
const FOREIGN = [
  'example.com',
  'example.com:8000',
  'localhost.example.com',
  '127.0.0.1.example.com',
  '10.0.0.1',
  '[::2]',
];

describe('host names', () => {
  it('without a key are those of loopback', async () => {
    const served = await start();
    for (const host of OWN) expect([host, (await ask(served, '/v1/models', { host })).status]).toEqual([host, 200]);
    for (const host of FOREIGN)
      for (const path of PATHS) {
        const { status, body } = await ask(served, path, { host });
        expect([host, path, status]).toEqual([host, path, 403]);
        expect(JSON.parse(body).error).toMatchObject({ code: 'host_not_allowed' });
      }
    for (const host of ['[::1', 'a:b:c', 'localhost@example.com'])
      expect([host, (await ask(served, '/health', { host })).status]).toEqual([
        host,
        expect.toSatisfy((s) => s === 400 || s === 403),
      ]);
  });

  it('are any with a key, or where the user says so', async () => {
    const [host] = FOREIGN as [string];
    const withKey = await start({ apiKey: 'k' });
    expect((await ask(withKey, '/v1/models', { host, authorization: 'Bearer k' })).status).toBe(200);
    expect((await ask(await start({ allowWithoutKey: true }), '/v1/models', { host })).status).toBe(200);
  });

  it('and addresses are told apart by one rule', () => {
    for (const name of ['127.0.0.1', '::1', '[::1]', 'localhost']) expect(isLoopback(name)).toBe(true);
    for (const name of ['', '0.0.0.0', '::', '1127.0.0.1', '127.0.0.1x', 'local', '127.0.0'])
      expect(isLoopback(name)).toBe(false);
  });
});

describe('pages of other origins', () => {
  const origin = 'http://localhost:3000';
  const preflight = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type',
  };
  const POST = '/v1/chat/completions';

  it('are not let in by default, and are told so', async () => {
    const served = await start();
    const { status, headers, body } = await ask(served, POST, preflight, 'OPTIONS');
    expect([status, headers['access-control-allow-origin']]).toEqual([403, undefined]);
    expect(JSON.parse(body).error.message).toContain('--allow-origin');
    const { headers: plain } = await ask(served, '/v1/models', { origin });
    expect(plain['access-control-allow-origin']).toBeUndefined();
  });

  it('are let in by name, or all', async () => {
    for (const allowed of [origin, '*']) {
      const served = await start({ allowOrigins: [allowed], apiKey: 'k' });
      const { status, headers } = await ask(served, POST, preflight, 'OPTIONS');
      expect(status).toBe(204);
      expect(headers).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-headers': 'authorization,content-type',
        vary: 'origin',
      });
      // What fails too: a page must be able to read why.
      for (const authorization of ['Bearer k', 'Bearer no']) {
        const answer = await ask(served, '/v1/models', { origin, authorization });
        expect(answer.headers['access-control-allow-origin']).toBe(origin);
        expect(answer.headers['access-control-expose-headers']).toContain('x-request-id');
      }
      const other = await ask(served, POST, { ...preflight, origin: 'http://elsewhere' }, 'OPTIONS');
      expect(other.status).toBe(allowed === '*' ? 204 : 403);
    }
    await expect(startTestServer({ server: { allowOrigins: ['localhost:3000'] } })).rejects.toThrow(/origin/);
  });
});

describe('every answer has a request id', () => {
  it('of its own, or the client’s where it is fit', async () => {
    const served = await start();
    const ids = new Set<unknown>();
    for (const path of PATHS) ids.add((await ask(served, path, {})).headers['x-request-id']);
    expect([ids.size, ids.has(undefined)]).toEqual([PATHS.length, false]);
    const named = async (id: string) => (await ask(served, '/nothing', { 'x-request-id': id })).headers['x-request-id'];
    expect(await named('run-7:a.b_c')).toBe('run-7:a.b_c');
    for (const unfit of ['a b', 'x'.repeat(200), '"']) expect(await named(unfit)).not.toBe(unfit);
  });

  it('streams, refusals and what is no request as well', async () => {
    const served = await start({ maxBodyBytes: 1000 });
    const send = (body: string, more: object = {}) =>
      fetch(`${served.url}/v1/completions`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', ...more },
      });
    const all = [
      await send('{"prompt":"a","max_tokens":1,"stream":true}'),
      await send('{"prompt":3}'),
      await send('{'),
      await send(`{"prompt":"${'a'.repeat(2000)}"}`),
      await send('{}', { 'content-type': 'text/plain' }),
    ];
    expect(all.map(({ status }) => status)).toEqual([200, 400, 400, 413, 415]);
    for (const response of all) expect(response.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
    await all[0]!.text();
    const unreadable = await ask(served, '/health', { large: 'x'.repeat(20_000) });
    expect([unreadable.status, typeof unreadable.headers['x-request-id']]).toEqual([431, 'string']);
  });
});

it('compressed bodies are refused by name', async () => {
  const served = await start();
  const response = await fetch(`${served.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    body: gzipSync('{"prompt":"a"}'),
  });
  expect(response.status).toBe(415);
  expect((await response.json()).error.message).toContain('Content-Encoding');
});
