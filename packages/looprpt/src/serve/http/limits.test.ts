/** Who is let in, how many, for how long, and what is left when they go. */
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { liveTensors } from '@looprpt/engine';
import { describe, expect, it, vi } from 'vitest';
import { collectGarbage } from '../../../../engine/test-support/collect-garbage.js';
import { writeCheckpoint } from '../../../test-support/checkpoint-folder.js';
import { startTestServer, type TestServer } from '../../../test-support/serve/test-server.js';
import { tinyModel } from '../../../test-support/slow/tiny-model.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { tinyTokenizer } from '../../../test-support/tiny-tokenizer.js';
import { UserError } from '../../base/user-error.js';
import { DecoderClient } from '../worker/client.js';
import type { DecoderState, ServedModel } from '../worker/protocol.js';
import { HttpServer } from './server.js';

const json = { 'content-type': 'application/json' };
/** Goes on until something ends it. */
const LONG = { prompt: 'a', max_tokens: 120, ignore_eos: true };

function post({ url }: { url: string }, body: object, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/v1/completions`, { method: 'POST', headers: json, body: JSON.stringify(body), ...init });
}

async function errorOf(response: Response): Promise<{ message: string; type: string; code: string }> {
  return ((await response.json()) as { error: { message: string; type: string; code: string } }).error;
}

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise((next) => setTimeout(next, 2));
}

function expectEmpty({ decoder: { core }, server, faults }: TestServer): void {
  expect([core.running, core.waiting, server.texts]).toEqual([0, 0, 0]);
  expect(core.pool.free + core.prefixPages).toBe(core.pool.pages);
  expect(faults).toEqual([]);
}

/** A gauge's or counter's value; the sum over its labels. */
async function metric({ url }: TestServer, name: string): Promise<number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
  const values = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

describe('the API key', () => {
  it('is asked for where there is something to protect', async () => {
    await using served = await startTestServer({ server: { apiKey: 'right' } });
    const status = async (path: string, authorization?: string): Promise<number> =>
      (await fetch(served.url + path, authorization ? { headers: { authorization } } : {})).status;
    for (const path of ['/v1/models', '/metrics', '/v1/nothing'])
      for (const wrong of [undefined, 'Bearer wrong', 'Bearer rightt', 'Bearer', 'right', 'Basic right'])
        expect(await status(path, wrong)).toBe(401);
    for (const path of ['/v1/models', '/metrics']) expect(await status(path, 'Bearer right')).toBe(200);
    for (const path of ['/health', '/ready', '/openapi.json']) expect(await status(path)).toBe(200);
    const refused = await post(served, LONG);
    expect(await errorOf(refused)).toMatchObject({ type: 'authentication_error', code: 'missing_api_key' });
  });

  it('is needed before strangers can come in', async () => {
    const client = new DecoderClient(new MessageChannel().port1);
    const listen = (host: string, more: object = {}) =>
      HttpServer.listen(client, { modelId: 'm', host, port: 0, ...more }, () => {});
    await expect(listen('0.0.0.0')).rejects.toThrow(/^--host 0\.0\.0\.0 .*LOOPRPT_API_KEY.*--allow-without-key/);
    await expect(listen('::')).rejects.toThrow(UserError);
    for (const more of [{ apiKey: 'k' }, { allowWithoutKey: true }]) await (await listen('0.0.0.0', more)).close();
    const first = await listen('127.0.0.1');
    await expect(listen('127.0.0.1', { port: Number(new URL(first.url).port) })).rejects.toThrow(
      /listens there already/,
    );
    await first.close();
    await expect(listen('192.0.2.1', { apiKey: 'k' })).rejects.toThrow(/cannot listen there/);
  });
});

describe('the queue', () => {
  it('is bounded: 429 with Retry-After beyond it, and room again afterwards', async () => {
    await using served = await startTestServer({ decoder: { maxBatch: 1 }, server: { queue: 2 } });
    const running = Array.from({ length: 3 }, () => post(served, LONG));
    await until(() => served.server.texts === 3);
    const refused = await post(served, LONG);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await errorOf(refused)).toMatchObject({ type: 'rate_limit_error', code: 'queue_full' });
    expect([await metric(served, 'looprpt_batch_size'), await metric(served, 'looprpt_queue_length')]).toEqual([1, 2]);
    for (const response of await Promise.all(running)) expect(response.status).toBe(200);
    expect((await post(served, { ...LONG, max_tokens: 1, n: 3 })).status).toBe(200);
    const never = await post(served, { ...LONG, n: 4 });
    expect([never.status, (await errorOf(never)).message]).toEqual([400, expect.stringMatching(/takes 3/)]);
    expectEmpty(served);
  });
});

describe('a client that goes away', () => {
  it.each([true, false])('frees its pages at once, stream: %s, running or waiting', async (stream) => {
    await using served = await startTestServer({ decoder: { maxBatch: 2, cacheTokens: 512 } });
    const { core } = served.decoder;
    const clients = Array.from({ length: 4 }, () => new AbortController());
    const answers = clients.map(({ signal }) => post(served, { ...LONG, stream }, { signal }));
    for (const answer of answers) answer.catch(() => {});
    await until(() => core.running === 2 && core.waiting === 2);
    // A text runs from its admission on; pages are taken in the round after it.
    await vi.waitFor(async () => expect(await metric(served, 'looprpt_cache_pages_used')).toBeGreaterThan(0));
    for (const client of clients) client.abort();
    await until(() => served.server.texts === 0 && core.running + core.waiting === 0);
    expectEmpty(served);
    expect(await metric(served, 'looprpt_cache_pages_used')).toBe(0);
    expect(await metric(served, 'looprpt_cancelled_total')).toBe(4);
    expect(await metric(served, 'looprpt_generated_tokens_total')).toBeLessThan(4 * 120);
  });

  it('in the middle of its stream', async () => {
    await using served = await startTestServer();
    const aborted = new AbortController();
    const reader = (await post(served, { ...LONG, stream: true }, { signal: aborted.signal })).body!.getReader();
    await reader.read();
    aborted.abort();
    await until(() => served.decoder.core.running === 0 && served.server.texts === 0);
    expectEmpty(served);
  });

  it('or slams the door in the middle of its request', async () => {
    await using served = await startTestServer();
    const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"pro',
    );
    socket.destroy();
    await once(socket, 'close');
    expect((await post(served, { ...LONG, max_tokens: 2 })).status).toBe(200);
    expectEmpty(served);
  });
});

describe('limits', () => {
  it('of time: 504, or an error event in a stream that has begun', async () => {
    await using served = await startTestServer({ server: { requestSeconds: 0.02 } });
    // Other requests beside it, so that it is long enough for a timer of 20 ms.
    const all = await Promise.all(Array.from({ length: 8 }, () => post(served, { ...LONG, n: 4 })));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([504]));
    expect(await errorOf(all[0]!)).toMatchObject({ type: 'timeout_error', code: 'request_timeout' });
    await until(() => served.decoder.core.running + served.decoder.core.waiting === 0);
    expectEmpty(served);
  });

  it('of the body, whether or not its length is told', async () => {
    await using served = await startTestServer({ server: { maxBodyBytes: 1000 } });
    const large = { prompt: 'a'.repeat(2000) };
    expect((await post(served, large)).status).toBe(413);
    const chunks = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(JSON.stringify(large)));
        controller.close();
      },
    });
    const refused = await post(served, {}, { body: chunks, duplex: 'half' } as RequestInit);
    expect([refused.status, (await errorOf(refused)).code]).toEqual([413, 'request_too_large']);
  });
});

describe('prompts that cannot fit', () => {
  it('are refused by their bytes, before they are tokenised', async () => {
    await using served = await startTestServer();
    // A token of this tokenizer has at most 13 bytes: that of an end of text.
    const bytes = 128 * 13;
    const refusal = async (body: object) => (await errorOf(await post(served, body))).message;
    expect(await refusal({ prompt: 'a'.repeat(bytes + 1) })).toMatch(/longer than so many can be/);
    expect(await refusal({ prompt: 'a'.repeat(bytes) })).toMatch(/the prompt has 1664 and/);
    expect(await refusal({ prompt: ['a', 'é'.repeat(bytes / 2 + 1)] })).toMatch(/longer than so many can be/);
    const chat = { messages: [{ role: 'user', content: 'a'.repeat(bytes) }] };
    const init = { method: 'POST', headers: json, body: JSON.stringify(chat) };
    const response = await fetch(`${served.url}/v1/chat/completions`, init);
    expect(await errorOf(response)).toMatchObject({ param: 'messages', code: 'context_length_exceeded' });
    expectEmpty(served);
  });

  it('and lists with many wrong entries are one mistake', async () => {
    await using served = await startTestServer();
    const many = (entry: unknown) => new Array(200_000).fill(entry);
    for (const [field, value] of [
      ['prompt', many(-1)],
      ['prompt', many('a')],
      ['prompt', many([])],
      ['prompt', many(1)],
      ['stop', many('')],
      ['stop_token_ids', many(-1)],
      ['logit_bias', Object.fromEntries(many(0).map((_, i) => [`k${i}`, 'x']))],
    ] as const) {
      const refused = await post(served, { prompt: 'a', [field]: value });
      const { param, message } = (await errorOf(refused)) as { param?: string; message: string };
      expect([refused.status, param, message.length < 300]).toEqual([400, field, true]);
    }
    expectEmpty(served);
  });
});

describe('a model that gives no numbers', () => {
  it('ends the text with an error, and the next one too; nothing hangs', async () => {
    const parent = temporaryFolder();
    const { config, params } = tinyModel(7, { vocabSize: 290 });
    // Finite weights whose products are not.
    const head = params['lm_head.weight']!;
    const huge = { ...params, 'lm_head.weight': { ...head, data: head.data.map((value) => Math.sign(value) * 3e38) } };
    const folder = join(parent.path, 'huge');
    writeCheckpoint(folder, { config, params: huge });
    cpSync((await tinyTokenizer(290)).dir, folder, { recursive: true });
    await using served = await startTestServer({ folder });
    const ways = [
      { temperature: 0 },
      { temperature: 0, logprobs: 2 },
      { temperature: 1 },
      { top_k: 5 },
      { top_p: 0.5 },
      { min_p: 0.1 },
      { logit_bias: { 1: 1 } },
    ];
    for (const way of [
      ...ways,
      { top_p: 0.5, top_k: 3, repetition_penalty: 1.1 },
      { max_tokens: 0, echo: true, logprobs: 1 },
    ]) {
      const response = await post(served, { prompt: 'the cat', max_tokens: 4, ...way });
      const { code, message } = await errorOf(response);
      expect([way, response.status, code]).toEqual([way, 500, 'model_fault']);
      expect(message).toMatch(/not finite/);
    }
    const streamed = await post(served, { prompt: 'the cat', max_tokens: 4, stream: true });
    expect(await streamed.text()).toMatch(/"code":"model_fault".*\n\ndata: \[DONE\]/);
    expect((await fetch(`${served.url}/ready`)).status).toBe(200);
    expect(served.faults.length).toBe(ways.length + 3);
    served.faults.length = 0;
    expectEmpty(served);
    await served.server.drain();
  });
});

describe('going down', () => {
  it('finishes what runs and waits, says so meanwhile, and takes nothing new', async () => {
    await using served = await startTestServer({ decoder: { maxBatch: 1 } });
    const running = [post(served, { ...LONG, stream: true }), post(served, LONG)];
    await until(() => served.server.texts === 2);
    const drained = served.server.drain();
    const ready = await fetch(`${served.url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([503, { status: 'draining' }]);
    expect((await fetch(`${served.url}/health`)).status).toBe(200);
    const refused = await post(served, LONG);
    expect([refused.status, refused.headers.has('retry-after')]).toEqual([503, true]);
    const [stream, whole] = await Promise.all(running);
    expect(await stream!.text()).toMatch(/"finish_reason":"length".*\n\ndata: \[DONE\]\n\n$/);
    expect(await whole!.json()).toMatchObject({ usage: { completion_tokens: 120 } });
    await drained;
    await expect(fetch(`${served.url}/health`)).rejects.toThrow();
    expectEmpty(served);
  });

  it('leaves no tensor behind', async () => {
    await collectGarbage();
    const before = liveTensors();
    const served = await startTestServer();
    await (await post(served, { ...LONG, n: 3 })).json();
    await served[Symbol.asyncDispose]();
    expect(liveTensors()).toBe(before);
  });
});

describe('while the model is loaded', () => {
  const model = { name: 'm', loops: 3 } as ServedModel;
  const state: DecoderState = { waiting: 0, running: 0, pages: 1, pagesUsed: 0, pagesKept: 0, tensors: 0 };

  it('the server listens and says so; it is ready afterwards, and knows when the decoder is gone', async () => {
    const { port1, port2 } = new MessageChannel();
    const client = new DecoderClient(port1);
    const faults: unknown[] = [];
    const server = await HttpServer.listen(client, { modelId: 'm', port: 0 }, (fault) => faults.push(fault));
    const status = async (path: string) => (await fetch(server.url + path)).status;
    const statuses = () => Promise.all(['/health', '/ready', '/v1/models', '/metrics'].map(status));
    expect(await statuses()).toEqual([200, 503, 503, 200]);
    port2.postMessage({ kind: 'ready', model, state });
    await client.loaded;
    expect([faults, await statuses()]).toEqual([[], [200, 200, 200, 200]]);
    // Accepted by nobody, and then the thread dies.
    const pending = post(server, LONG);
    await until(() => server.texts === 1);
    client.lose(new Error('the thread ended'));
    expect((await pending).status).toBe(500);
    expect(await statuses()).toEqual([200, 503, 503, 200]);
    await server.close();
    port1.close();
  });

  it('and when the decoder does not come back from its work, until it does', async () => {
    const { port1, port2 } = new MessageChannel();
    const client = new DecoderClient(port1);
    const listening = await HttpServer.listen(client, { modelId: 'm', port: 0, stallSeconds: 0.1 }, () => {});
    const ready = async (): Promise<unknown> => (await (await fetch(`${listening.url}/ready`)).json()).status;
    port2.postMessage({ kind: 'ready', model, state });
    await client.loaded;
    expect(await ready()).toBe('ready');
    const pending = post(listening, LONG);
    pending.catch(() => {});
    await vi.waitFor(async () => expect(await ready()).toBe('stalled'), { timeout: 10_000 });
    const refused = await post(listening, LONG);
    expect([refused.status, (await errorOf(refused)).code]).toEqual([503, 'stalled']);
    // Each question is answered from now on.
    const answering = (): void => port2.postMessage({ kind: 'news', news: [], state });
    port2.on('message', answering);
    await vi.waitFor(async () => expect(await ready()).toBe('ready'), { timeout: 10_000 });
    port2.off('message', answering);
    // What it has taken is not waited for.
    await listening.drain();
    await expect(pending).rejects.toThrow();
    port1.close();
  });

  it('tells whoever waits that it cannot be loaded', async () => {
    const { port1, port2 } = new MessageChannel();
    const client = new DecoderClient(port1);
    port2.postMessage({ kind: 'failed', message: 'nowhere: no such folder', isUserError: true });
    await expect(client.loaded).rejects.toThrow(UserError);
    port1.close();
  });
});
