/** `/openapi.json` against what the server does. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { z } from 'zod';
import { startTestServer, type TestServer } from '../../../test-support/serve/test-server.js';
import { createApp } from './app.js';
import { chatChunk, chatCompletion } from './schemas/chat.js';
import { completion } from './schemas/completions.js';
import { modelList } from './schemas/models.js';

let served: TestServer;
beforeAll(async () => {
  served = await startTestServer();
});
afterAll(() => served[Symbol.asyncDispose]());

interface Description {
  openapi: string;
  paths: Record<string, Record<string, { responses: Record<string, unknown>; security?: unknown }>>;
  components: { schemas: Record<string, { properties: Record<string, unknown> }> };
}

async function description(): Promise<Description> {
  return (await (await fetch(`${served.url}/openapi.json`)).json()) as Description;
}

it('describes every route and no other', async () => {
  const { openapi, paths } = await description();
  expect(openapi).toBe('3.1.0');
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const given: unknown = { client: {}, apiKey: null, allowOrigins: [], maxBodyBytes: 1 };
  const app = createApp(given as Parameters<typeof createApp>[0]);
  const routes = app.routes.filter(({ method }) => method !== 'ALL');
  const actual = routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)(\{.*?\})?/g, '{$1}')}`);
  expect([...new Set(described)].sort()).toEqual([...new Set(actual)].sort());
  // The same whenever it is asked for.
  expect(await description()).toEqual(await description());
});

it('refers to nothing that is not there, and says of every field what it is', async () => {
  const document = await description();
  const { schemas } = document.components;
  for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g))
    expect(schemas).toHaveProperty(name!);
  for (const name of ['CompletionRequest', 'ChatCompletionRequest'])
    for (const [field, schema] of Object.entries(schemas[name]!.properties))
      if (field !== 'messages')
        expect([name, field, JSON.stringify(schema)]).toEqual([
          name,
          field,
          expect.stringMatching(/description|\$ref/),
        ]);
});

it('answers are as described, down to their last key', async () => {
  const post = (path: string, body: object) =>
    fetch(served.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const common = { max_tokens: 4, loop: { report: true }, ignore_eos: true };
  const chat = { ...common, messages: [{ role: 'user', content: 'a' }], logprobs: true, top_logprobs: 1 };
  const text = { ...common, prompt: 'a b', echo: true, logprobs: 2 };
  const events = async (response: Response): Promise<unknown[]> =>
    [...(await response.text()).matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data!) as unknown);
  const stream = { stream: true, stream_options: { include_usage: true } };
  const cases: [z.ZodType, unknown[]][] = [
    [completion, [await (await post('/v1/completions', text)).json()]],
    [completion, await events(await post('/v1/completions', { ...text, ...stream }))],
    [chatCompletion, [await (await post('/v1/chat/completions', chat)).json()]],
    [chatChunk, await events(await post('/v1/chat/completions', { ...chat, ...stream }))],
    [modelList, [await (await fetch(`${served.url}/v1/models`)).json()]],
  ];
  for (const [schema, answers] of cases) {
    expect(answers.length).toBeGreaterThan(0);
    // What the schema does not know is left out of what it gives back.
    for (const answer of answers) expect(schema.parse(answer)).toEqual(answer);
  }
});

it('the page and its parts are served, and nothing beside them', async () => {
  const page = await fetch(`${served.url}/`);
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  const parts = [...(await page.text()).matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map(([, path]) => path!);
  expect(parts.length).toBeGreaterThan(0);
  for (const part of parts) expect((await fetch(served.url + part)).status).toBe(200);
});
