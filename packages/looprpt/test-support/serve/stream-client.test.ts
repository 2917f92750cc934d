/** What a client makes of a stream, from a server that sends what the test says. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import type { StreamRequest } from './stream-client.js';
import { streamOnce } from './stream-client.js';

const ASKED: StreamRequest = { path: '/v1/completions', body: { model: 'any', prompt: 'a', n: 2, stream: true } };

async function serverOf(chunks: readonly { index: number; text: string }[]): Promise<URL> {
  const frame = { id: 'cmpl-1', object: 'text_completion', created: 1, model: 'any', usage: null };
  const events = chunks.map(({ index, text }) => {
    const choice = { index, text, logprobs: null, finish_reason: null, loops: [2], token_texts: [text] };
    return `data: ${JSON.stringify({ ...frame, choices: [choice] })}\n\n`;
  });
  const server = createServer((_, answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.end(`${events.join('')}data: [DONE]\n\n`);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

it('puts texts together from chunks in any order', async () => {
  const server = await serverOf([
    { index: 1, text: 'x' },
    { index: 0, text: 'a' },
    { index: 1, text: 'y' },
  ]);
  const outcome = await streamOnce(server, ASKED);
  expect(outcome).toMatchObject({
    kind: 'done',
    texts: [
      { text: 'a', tokenTexts: ['a'], loops: [2] },
      { text: 'xy', tokenTexts: ['x', 'y'], loops: [2, 2] },
    ],
  });
});

it('has an empty text where the client left before its first chunk', async () => {
  const server = await serverOf([
    { index: 1, text: 'x' },
    { index: 0, text: 'a' },
  ]);
  const outcome = await streamOnce(server, ASKED, { events: 1 });
  expect(outcome).toEqual({
    kind: 'gone',
    texts: [
      { text: '', tokenTexts: [], loops: [], finish: null },
      { text: 'x', tokenTexts: ['x'], loops: [2], finish: null },
    ],
  });
});
