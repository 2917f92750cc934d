/** The tokenizer over HTTP against the tokenizer itself. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../../test-support/serve/test-server.js';
import { ChatTemplate } from '../../text/chat-template.js';
import { Tokenizer } from '../../text/tokenizer.js';

let served: TestServer;
let tokenizer: Tokenizer;
beforeAll(async () => {
  served = await startTestServer();
  tokenizer = await Tokenizer.load(served.folder);
});
afterAll(() => served[Symbol.asyncDispose]());

async function post(path: string, body: object) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(served.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

it.each(['the cat 漢字 😀<|im_end|>', ' ', ''])('%j to ids and back', async (prompt) => {
  const tokens = Array.from(await tokenizer.encode(prompt));
  const { body } = await post('/tokenize', { prompt, add_special_tokens: false, return_token_strs: true });
  const token_strs = tokens.map((id) => tokenizer.decode([id]));
  expect(body).toEqual({ tokens, count: tokens.length, max_model_len: 128, token_strs });
  expect((await post('/detokenize', { tokens })).body).toEqual({ prompt });
});

it('a chat as the template renders it', async () => {
  const messages = [{ role: 'user', content: 'what is 12?' }];
  const template = (await ChatTemplate.load(served.folder))!;
  for (const add_generation_prompt of [true, false]) {
    const text = template.render(messages, { addGenerationPrompt: add_generation_prompt, enableThinking: true });
    const options = { add_generation_prompt, chat_template_kwargs: { enable_thinking: true } };
    const { body } = await post('/tokenize', { messages, ...options });
    expect(body.tokens).toEqual(Array.from(await tokenizer.encode(text)));
  }
});

it('what the folder says of special tokens', async () => {
  const info = await (await fetch(`${served.url}/tokenizer_info`)).json();
  const end = '<|endoftext|>';
  expect(info).toMatchObject({ bos_token: end, eos_token: end, vocab_size: 290, model_max_length: 128 });
  expect(info.chat_template).toContain('<|im_start|>');
});

it('refuses what is neither', async () => {
  for (const body of [{}, { prompt: 'a', messages: [{ role: 'user', content: 'a' }] }, { prompt: 3 }])
    expect((await post('/tokenize', body)).status).toBe(400);
  for (const tokens of [['a'], [-1], 3]) expect((await post('/detokenize', { tokens })).status).toBe(400);
  expect((await post('/tokenize', { prompt: 'a'.repeat(100_000) })).body.error).toMatchObject({
    code: 'context_length_exceeded',
  });
});
