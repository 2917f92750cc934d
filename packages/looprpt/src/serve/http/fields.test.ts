/** Every field that a client may send is honoured, or refused by its name. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../../test-support/serve/test-server.js';
import { Tokenizer } from '../../text/tokenizer.js';

let served: TestServer;
let tokenizer: Tokenizer;
beforeAll(async () => {
  served = await startTestServer();
  tokenizer = await Tokenizer.load(served.folder);
});
afterAll(async () => {
  expect(served.faults).toEqual([]);
  await served[Symbol.asyncDispose]();
});

interface Reply {
  status: number;
  error?: { message: string; param: string | null };
  choices: {
    text: string;
    message: { content: string };
    finish_reason: string;
    logprobs: { tokens: string[] } | null;
  }[];
  usage: { prompt_tokens: number; completion_tokens: number };
}

async function post(path: string, body: object): Promise<Reply> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${served.url}/v1${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, ...((await response.json()) as Omit<Reply, 'status'>) };
}

const complete = (fields: object): Promise<Reply> =>
  post('/completions', { prompt: 'the cat', max_tokens: 6, seed: 1, ...fields });
const answer = (fields: object): Promise<Reply> =>
  post('/chat/completions', { messages: [{ role: 'user', content: 'a' }], max_tokens: 6, seed: 1, ...fields });

const END = 0;
/** The end token before anything else, unless something forbids it. */
const ends = { logit_bias: { [END]: 100 } };

describe('what the template is given', () => {
  it('are the variables of the request', async () => {
    const tokens = async (fields: object): Promise<number> => (await answer(fields)).usage.prompt_tokens;
    const plain = await tokens({});
    const thinking = (await tokenizer.encode('<think>\n')).length;
    expect(await tokens({ chat_template_kwargs: { enable_thinking: true } })).toBe(plain + thinking);
    expect(await tokens({ chat_template_kwargs: { enable_thinking: false } })).toBe(plain);
    // What the request itself says is not to be changed by them.
    expect(await tokens({ chat_template_kwargs: { messages: [], add_generation_prompt: false } })).toBe(plain);
    const opened = (await tokenizer.encode('<|im_start|>assistant\n')).length;
    expect(await tokens({ add_generation_prompt: false })).toBe(plain - opened);
  });
});

describe('max_tokens', () => {
  it('may be -1 for as many as fit, in both dialects, and nothing below it', async () => {
    for (const fields of [{ max_tokens: -1 }, { max_completion_tokens: -1 }])
      for (const ask of 'max_tokens' in fields ? [complete, answer] : [answer]) {
        const { usage, choices } = await ask({ ...fields, ignore_eos: true });
        expect(usage.prompt_tokens + usage.completion_tokens).toBe(128);
        expect(choices[0]!.finish_reason).toBe('length');
      }
    const { status, error } = await complete({ max_tokens: -2 });
    expect([status, error?.param]).toEqual([400, 'max_tokens']);
  });
});

describe('min_tokens', () => {
  it('keeps end tokens from being drawn, and stop strings from counting', async () => {
    expect((await complete(ends)).usage.completion_tokens).toBe(0);
    for (const temperature of [0, 1])
      for (const min_tokens of [1, 4]) {
        const { usage, choices } = await complete({ ...ends, min_tokens, temperature });
        expect([usage.completion_tokens, choices[0]!.finish_reason]).toEqual([min_tokens, 'stop']);
      }
    const x = (await tokenizer.encode('x'))[0]!;
    const xs = { logit_bias: { [x]: 100 }, stop: 'x' };
    expect((await complete(xs)).choices[0]!.text).toBe('');
    const { choices } = await complete({ ...xs, min_tokens: 3 });
    expect(choices[0]).toMatchObject({ text: 'xxx', finish_reason: 'stop' });
    const refused = await complete({ min_tokens: 7 });
    expect([refused.status, refused.error?.param]).toEqual([400, 'min_tokens']);
  });
});

describe('what ends a text', () => {
  it('is part of it where that is asked for', async () => {
    const full = (await complete({ temperature: 0, ignore_eos: true, max_tokens: 12 })).choices[0]!.text;
    const stop = full.slice(4, 6);
    const fields = { temperature: 0, ignore_eos: true, max_tokens: 12, stop };
    expect((await complete(fields)).choices[0]!.text).toBe(full.slice(0, full.indexOf(stop)));
    const kept = await complete({ ...fields, include_stop_str_in_output: true });
    expect(kept.choices[0]!.text).toBe(full.slice(0, full.indexOf(stop) + stop.length));
    const named = { ...ends, min_tokens: 2, include_stop_str_in_output: true };
    expect((await complete({ ...named, skip_special_tokens: false })).choices[0]!.text).toMatch(/.<\|endoftext\|>$/s);
    expect((await complete(named)).choices[0]!.text).not.toContain('<|endoftext|>');
  });

  it('stands in the log-probabilities, without text of its own', async () => {
    const fields = { ...ends, min_tokens: 2, logprobs: 1, echo: true };
    const { choices, usage } = await complete(fields);
    const { tokens } = choices[0]!.logprobs!;
    expect(tokens).toHaveLength(usage.prompt_tokens + usage.completion_tokens + 1);
    expect(tokens.at(-1)).toBe('');
    // As harnesses score an answer: the prompt's own tokens, and one more whatever it is.
    for (const logit_bias of [{}, { [END]: 100 }]) {
      const scored = await complete({ logit_bias, logprobs: 1, echo: true, max_tokens: 1 });
      expect(scored.choices[0]!.logprobs!.tokens).toHaveLength(scored.usage.prompt_tokens + 1);
    }
    const chat = await answer({ ...ends, min_tokens: 2, logprobs: true, top_logprobs: 1 });
    const content = (chat.choices[0]!.logprobs as unknown as { content: { token: string; bytes: number[] }[] }).content;
    expect(content.map(({ token }) => token === '')).toEqual([false, false, true]);
    expect(content.at(-1)!.bytes).toEqual([]);
  });
});

describe('special tokens', () => {
  it('are left out of the text, or shown', async () => {
    const id = tokenizer.idOf('<|im_end|>')!;
    const fields = { logit_bias: { [id]: 100 }, max_tokens: 2 };
    expect((await complete(fields)).choices[0]!.text).toBe('');
    const shown = await complete({ ...fields, skip_special_tokens: false });
    expect(shown.choices[0]!.text).toBe('<|im_end|><|im_end|>');
  });
});

describe('numbers at the edge', () => {
  it.each([
    { top_k: -1 },
    { seed: 2 ** 63 },
    { seed: 18446744073709551615n },
    { seed: -(2 ** 63) },
    { logit_bias: {} },
  ])('%o is taken', async (fields) => {
    const text = JSON.stringify({ prompt: 'a', max_tokens: 3, ...fields }, (_, value) =>
      typeof value === 'bigint' ? Number(value) : value,
    );
    const again = await Promise.all([0, 1].map(() => complete(JSON.parse(text))));
    expect(again.map(({ status }) => status)).toEqual([200, 200]);
    if ('seed' in fields) expect(again[0]!.choices).toEqual(again[1]!.choices);
  });

  it('seeds beyond 2^53 are told apart', async () => {
    const seeds = [2 ** 60, 2 ** 60 + 256, 2 ** 61, -(2 ** 60)];
    const texts = await Promise.all(
      seeds.map(async (seed) => (await complete({ seed, max_tokens: 20, ignore_eos: true })).choices[0]!.text),
    );
    expect(new Set(texts).size).toBe(seeds.length);
  });
});

const SCHEMA = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object' } } };
const TOOL = { type: 'function', function: { name: 'f', parameters: {} } };

describe('fields that would change the answer and are not done here', () => {
  it.each([
    { response_format: { type: 'json_object' } },
    { response_format: SCHEMA },
    { guided_json: {} },
    { guided_regex: 'a' },
    { guided_choice: ['a'] },
    { structured_outputs: { json: {} } },
    { use_beam_search: true },
    { length_penalty: 2 },
    { bad_words: ['a'] },
    { allowed_token_ids: [1] },
    { prompt_logprobs: 1 },
    { truncate_prompt_tokens: 3 },
    { typical_p: 0.5 },
  ])('%j is a 400 that names it', async (fields) => {
    const [param] = Object.keys(fields);
    for (const { status, error } of [await complete(fields), await answer(fields)])
      expect([status, error?.param, error?.message]).toEqual([
        400,
        param,
        expect.stringMatching(`^${param}: .*leave it out$`),
      ]);
  });

  it.each([
    { tools: [TOOL] },
    { tools: [TOOL], tool_choice: 'required' },
    { tool_choice: 'required' },
    { tool_choice: { type: 'function', function: { name: 'f' } } },
    { functions: [{ name: 'f' }] },
    { modalities: ['text', 'audio'] },
    { reasoning_effort: 'high' },
    { chat_template: 'x' },
    { continue_final_message: true },
    { documents: [{ text: 'a' }] },
  ])('in chats %j is a 400 that names it', async (fields) => {
    const { status, error } = await answer(fields);
    expect([status, error?.param]).toEqual([400, Object.keys(fields)[0]]);
  });

  it('are taken where they change nothing', async () => {
    const same = { response_format: { type: 'text' }, use_beam_search: false, length_penalty: 1, guided_json: null };
    expect((await complete(same)).status).toBe(200);
    const chat = {
      ...same,
      tools: [],
      tool_choice: 'auto',
      modalities: ['text'],
      parallel_tool_calls: true,
      store: false,
    };
    expect((await answer(chat)).status).toBe(200);
  });
});

describe('messages of errors', () => {
  it.each([
    [{ suffix: 'x' }, 'suffix', /^suffix: .*leave it out$/],
    [{ prompt: [-1] }, 'prompt', /^prompt\.0: not a token id/],
    [{ prompt: ['a', 3] }, 'prompt', /^prompt\.1: /],
    [{ stop: [''] }, 'stop', /^stop\.0: /],
    [{ logit_bias: { a: 1 } }, 'logit_bias', /^logit_bias: .*token id/],
    [{ logit_bias: { 1: 'a' } }, 'logit_bias', /^logit_bias\.1: .*-100 to 100/],
  ])('%j', async (fields, param, message) => {
    const { status, error } = await complete(fields);
    expect([status, error?.param, error?.message]).toEqual([400, param, expect.stringMatching(message)]);
  });

  it('name the part of a message that is no text', async () => {
    const image = { type: 'image_url', image_url: { url: 'data:,' } };
    const { error } = await answer({ messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, image] }] });
    expect(error?.message).toMatch(/^messages\.0\.content\.1\.type: .*only be text/);
  });

  it('name the chat route where a client asks for the newer one', async () => {
    const { status, error } = await post('/responses', { model: 'tiny', input: 'a' });
    expect([status, error?.message]).toEqual([404, expect.stringMatching(/\/v1\/chat\/completions$/)]);
  });

  it('do not give long names back', async () => {
    const long = 'x'.repeat(5000);
    for (const { error } of [
      await complete({ model: long }),
      await post(`/${long}`, {}),
      await complete({ loop: { [long]: 1 } }),
    ])
      expect(error!.message.length).toBeLessThan(410);
  });
});
