/** Requests that nobody should send: always a 4xx in OpenAI's shape, never a fault of ours or a silence. */
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../../test-support/serve/test-server.js';
import { errorBody } from './errors.js';
import { chatRequest } from './schemas/chat.js';
import { completionRequest } from './schemas/completions.js';

let served: TestServer;
beforeAll(async () => {
  served = await startTestServer({ server: { maxBodyBytes: 20_000 } });
});
afterAll(async () => {
  expect(served.faults).toEqual([]);
  await served[Symbol.asyncDispose]();
});

const ROUTES = [
  ['/v1/completions', completionRequest, { prompt: 'a', max_tokens: 1 }],
  ['/v1/chat/completions', chatRequest, { messages: [{ role: 'user', content: 'a' }], max_tokens: 1 }],
] as const;

async function send(path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(served.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
}

async function expectRefusal(response: Response): Promise<void> {
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.status).toBeLessThan(500);
  const { error } = errorBody.parse(await response.json());
  expect(error.message).not.toBe('');
  expect(error.message).not.toContain('\n');
}

it('of a method that the path does not have are 405 and name those that it has', async () => {
  const allowed = { '/v1/completions': 'POST', '/tokenize': 'POST', '/v1/models/tiny': 'GET, HEAD', '/': 'GET, HEAD' };
  for (const [path, allow] of Object.entries(allowed))
    for (const method of ['DELETE', 'PUT', 'OPTIONS', allow === 'POST' ? 'GET' : 'POST']) {
      const response = await fetch(served.url + path, { method });
      expect([path, method, response.status, response.headers.get('allow')]).toEqual([path, method, 405, allow]);
      await expectRefusal(response);
    }
  expect((await fetch(`${served.url}/v1/models`, { method: 'HEAD' })).status).toBe(200);
});

async function expectAlive(): Promise<void> {
  for (const [path, , body] of ROUTES) expect((await send(path, JSON.stringify(body))).status).toBe(200);
  const { pool, prefixPages, running } = served.decoder.core;
  expect([pool.free + prefixPages, running, served.server.texts]).toEqual([pool.pages, 0, 0]);
}

const values = fc.oneof(
  fc.constantFrom(
    null,
    true,
    '',
    'text',
    -1,
    0,
    0.5,
    3,
    1e9,
    1e308,
    -0,
    2 ** 53,
    [],
    {},
    [null],
    [[]],
    [''],
    [-1],
    [1.5],
    '\u0000',
    '\ud800',
  ),
  fc.jsonValue({ maxDepth: 3 }),
);

describe.each(ROUTES)('%s', (path, schema, good) => {
  const keys = Object.keys(schema.shape);

  it('refuses any body that its schema refuses, and answers all others', async () => {
    const field = fc.tuple(fc.constantFrom(...keys, 'unknown', '__proto__'), values);
    const body = fc
      .array(field, { minLength: 1, maxLength: 3 })
      .map((fields) => ({ ...good, ...Object.fromEntries(fields) }));
    await fc.assert(
      fc.asyncProperty(body, async (body) => {
        const text = JSON.stringify(body);
        const response = await send(path, text);
        if (schema.safeParse(JSON.parse(text)).success && response.status === 200) {
          // A body may be right in form and still ask for too much.
          await response.text();
          return;
        }
        await expectRefusal(response);
      }),
      { numRuns: 150 },
    );
    await expectAlive();
  });

  it('refuses a value of a wrong type in every field, and names it', async () => {
    for (const key of keys) {
      const response = await send(path, JSON.stringify({ ...good, [key]: { wrong: [1] } }));
      // An object of further keys is right for these two.
      if (key === 'stream_options' || key === 'chat_template_kwargs') continue;
      expect(response.status, key).toBe(400);
      expect(errorBody.parse(await response.json()).error.param).toBe(key);
    }
  });

  it('refuses bodies that are no JSON object', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.uint8Array({ maxLength: 50 }), fc.json()), async (body) => {
        await expectRefusal(await send(path, body as BodyInit));
      }),
      { numRuns: 50 },
    );
    for (const body of ['null', '[]', '3', '{', '{"prompt":"a",}', `${'['.repeat(9000)}`, `{"a":${'['.repeat(9000)}`])
      await expectRefusal(await send(path, body));
    await expectAlive();
  });

  it('refuses bodies of other types, and other methods', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'json', ';'])
      await expectRefusal(await send(path, JSON.stringify(good), { 'content-type': type }));
    await expectRefusal(await send(path, JSON.stringify(good), { 'content-encoding': 'gzip', 'content-type': 'x' }));
    await expectRefusal(await fetch(served.url + path, { method: 'POST' }));
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
      await expectRefusal(await fetch(served.url + path, { method }));
  });
});

it('paths that are not there', async () => {
  await fc.assert(
    fc.asyncProperty(fc.webPath(), fc.constantFrom('/v1', '/page', '/metrics/', ''), async (path, before) => {
      const response = await fetch(`${served.url}${before}/x${path}`);
      await expectRefusal(response);
    }),
    { numRuns: 50 },
  );
  for (const path of ['/v1/models/%E0%A4%A', '/v1/models/..%2f..', '/page/..%2f..%2fpackage.json', '/%00'])
    await expectRefusal(await fetch(served.url + path));
});

it('bytes that are no HTTP', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(
      'GET / HTTP/1.1\r\n\r\n',
      'POST /v1/completions HTTP/1.1\r\nhost: a b\r\ncontent-length: 2\r\n\r\n{}',
      'GET /health HTTP/9.9\r\nhost: x\r\n\r\n',
      `GET /health HTTP/1.1\r\nhost: x\r\nlarge: ${'x'.repeat(20_000)}\r\n\r\n`,
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}',
    ),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (bytes) => {
      const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1');
      });
      socket.on('error', () => {});
      socket.end(bytes);
      await once(socket, 'close');
      if (answer !== '') expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    }),
    { numRuns: 40 },
  );
  await expectAlive();
});
