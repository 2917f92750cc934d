/** The official client against a listening server. */
import { noGrad, scope, tensor } from '@looprpt/engine';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../../../test-support/serve/test-server.js';
import { loadModel } from '../../checkpoint/folder.js';
import { generateText } from '../../decode/generate.js';
import { exitRuleOf } from '../../model/exit-rule.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { Tokenizer } from '../../text/tokenizer.js';

let served: TestServer;
let client: OpenAI;
let model: LoopLM;
let tokenizer: Tokenizer;

beforeAll(async () => {
  served = await startTestServer();
  client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: 'none', maxRetries: 0 });
  model = loadModel(served.folder);
  tokenizer = await Tokenizer.load(served.folder);
});

afterAll(async () => {
  const { pool, prefixPages, running, waiting } = served.decoder.core;
  expect([pool.free + prefixPages, running, waiting, served.server.texts]).toEqual([pool.pages, 0, 0, 0]);
  expect(served.faults).toEqual([]);
  model.dispose();
  await served[Symbol.asyncDispose]();
});

type Completion = OpenAI.CompletionCreateParamsNonStreaming;
type Chat = OpenAI.ChatCompletionCreateParamsNonStreaming;
/** What our server adds to a choice when `loop.report` asks. */
type Reported<T> = T & { loops: number[]; token_texts: string[] };

const PROMPT = 'the cat sat on';
/** The end token is as likely as any other with random weights. */
const base = { model: 'tiny', prompt: PROMPT, max_tokens: 24, seed: 5, ignore_eos: true };
const chat: Chat = {
  model: 'tiny',
  messages: [{ role: 'user', content: 'what is 12 plus 30?' }],
  max_tokens: 12,
  seed: 3,
};

async function text(fields: Partial<Completion> & { loop?: object } = {}): Promise<string> {
  return (await client.completions.create({ ...base, ...fields })).choices[0]!.text;
}

/** The texts of a stream by choice, and its chunks. */
async function streamed(fields: Partial<Completion> & { loop?: object } = {}) {
  const chunks: OpenAI.Completion[] = [];
  for await (const chunk of await client.completions.create({ ...base, ...fields, stream: true })) chunks.push(chunk);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  const texts: string[] = [];
  for (const { index, text } of choices) texts[index] = (texts[index] ?? '') + text;
  return { chunks, choices, texts };
}

/** By `generate`: one sequence, no server, no batch. */
async function plainly(fields: { temperature?: number; seed?: number; maxLoops?: number; threshold?: number } = {}) {
  const { temperature = 1, seed = base.seed, maxLoops = model.config.loops, threshold } = fields;
  const exit = exitRuleOf(model.config, { rule: threshold === undefined ? 'loops' : 'gate', threshold, maxLoops });
  return generateText(
    { lm: model, tokenizer },
    { prompt: PROMPT, maxTokens: 24, exit, sampling: { temperature }, seed },
  );
}

const SEEDS = [5, 8, 21];

describe('models', () => {
  it('lists the one that is served', async () => {
    const { data } = await client.models.list();
    expect(data).toEqual([await client.models.retrieve('tiny')]);
    expect(data[0]).toMatchObject({ id: 'tiny', object: 'model', looprpt: { loops: 3, chat: true, max_length: 128 } });
    await expect(client.models.retrieve('huge')).rejects.toThrow(OpenAI.NotFoundError);
  });
});

describe('completions', () => {
  it.each(SEEDS)('say what plain decoding says, greedily and with seed %d', async (seed) => {
    for (const temperature of [0, 1]) {
      const plain = await plainly({ temperature, seed });
      const { choices, usage } = await client.completions.create({
        ...base,
        temperature,
        seed,
        ignore_eos: false,
      } as Completion);
      expect(choices[0]!.text).toBe(plain.text);
      expect(choices[0]!.finish_reason).toBe(plain.finishReason);
      const prompt_tokens = (await tokenizer.encode(PROMPT)).length;
      const completion_tokens = plain.tokens.length;
      expect(usage).toEqual({
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens + completion_tokens,
        loops: 3,
      });
    }
  });

  it('exit early as plain decoding at a fixed loop does, and report loops', async () => {
    for (const maxLoops of [1, 2]) {
      const plain = await plainly({ temperature: 0, maxLoops });
      const loop = { max_loops: maxLoops, exit_rule: 'loops', report: true };
      const body = { ...base, temperature: 0, ignore_eos: false, loop } as Completion;
      const { choices, usage } = await client.completions.create(body);
      expect(choices[0]).toMatchObject({ text: plain.text, loops: plain.loops });
      expect(plain.loops).toEqual(Array(usage!.completion_tokens).fill(maxLoops));
      expect(usage).toMatchObject({ loops: maxLoops });
    }
  });

  it.each([
    { exit_threshold: 0.6 },
    { exit_rule: 'hidden-change', exit_threshold: 0.8 },
    { exit_rule: 'confidence', exit_threshold: 0.05, max_loops: 2 },
  ])('loop %j: usage.loops is the mean of what is reported', async (loop) => {
    const body = { ...base, loop: { ...loop, report: true } } as Completion;
    const { choices, usage } = await client.completions.create(body);
    const { text, loops, token_texts } = choices[0] as Reported<OpenAI.CompletionChoice>;
    expect(loops).toHaveLength(24);
    expect(token_texts).toHaveLength(24);
    expect(token_texts.join('')).toBe(text);
    expect(Math.min(...loops)).toBeLessThan(3);
    expect(usage).toMatchObject({ loops: loops.reduce((sum, used) => sum + used, 0) / 24 });
  });

  it('take several prompts, as texts or ids, and n choices of each; a seed means the same in any company', async () => {
    const other = 'what is 12';
    const ids = Array.from(await tokenizer.encode(other));
    const { choices } = await client.completions.create({ ...base, prompt: [PROMPT, other], n: 3 } as Completion);
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    const texts = choices.map(({ text }) => text);
    expect(new Set(texts).size).toBe(6);
    expect(texts[0]).toBe(await text());
    expect(texts[3]).toBe(await text({ prompt: ids }));
    const again = await client.completions.create({ ...base, prompt: [ids], n: 2 } as Completion);
    expect(again.choices.map(({ text }) => text)).toEqual(texts.slice(3, 5));
    expect((await streamed({ prompt: [PROMPT, other], n: 3 })).texts).toEqual(texts);
    expect(again.usage!.prompt_tokens).toBe(ids.length);
  });

  it('differ between requests without a seed', async () => {
    const texts = await Promise.all(Array.from({ length: 4 }, () => text({ seed: null })));
    expect(new Set(texts).size).toBe(4);
    expect(await text({ seed: -3 })).toBe(await text({ seed: -3 }));
  });

  it('follow a logit bias and penalties', async () => {
    const [id] = await tokenizer.encode('x');
    const biased = { logit_bias: { [id!]: 100 }, max_tokens: 5 };
    expect(await text(biased)).toBe('xxxxx');
    expect(await text({ ...biased, logit_bias: { [id!]: 20 }, frequency_penalty: 2, max_tokens: 100 })).not.toBe(
      'x'.repeat(100),
    );
    const plain = await text({ temperature: 0, logprobs: 0 } as Partial<Completion>);
    expect(await text({ temperature: 0, presence_penalty: 2 })).not.toBe(plain);
    await expect(text({ logit_bias: { 290: 1 } })).rejects.toThrow(/token id 290 is not in the vocabulary/);
  });
});

describe('streams', () => {
  it.each(SEEDS)('say what whole answers say, seed %d', async (seed) => {
    for (const fields of [{}, { temperature: 0 }, { loop: { exit_threshold: 0.5 } }, { echo: true, n: 2 }]) {
      const whole = await client.completions.create({ ...base, seed, ...fields } as Completion);
      const { texts, choices } = await streamed({ seed, ...fields });
      expect(texts).toEqual(whole.choices.map(({ text }) => text));
      const ends = choices.filter(({ finish_reason }) => finish_reason !== null);
      expect(ends.map(({ index, finish_reason }) => [index, finish_reason]).sort()).toEqual(
        whole.choices.map(({ index, finish_reason }) => [index, finish_reason]),
      );
    }
  });

  it('do not cut characters that take several tokens', async () => {
    // Only the two bytes of é: what is decoded has it wherever they follow each other.
    const bytes = ['Ã', '©'].map((letter) => tokenizer.idOf(letter)!);
    const logit_bias = Object.fromEntries(bytes.map((id) => [id, 100]));
    const whole = await text({ logit_bias, max_tokens: 60 });
    expect(whole).toMatch(/é.*é/);
    const { texts, choices } = await streamed({ logit_bias, max_tokens: 60, loop: { report: true } });
    expect(texts[0]).toBe(whole);
    const reported = choices as Reported<OpenAI.CompletionChoice>[];
    for (const { text, token_texts = [], loops = [] } of reported) {
      expect(token_texts.join('')).toBe(text);
      expect(loops).toHaveLength(token_texts.length);
    }
    expect(reported.flatMap(({ loops = [] }) => loops)).toHaveLength(60);
  });

  it('report what whole answers report, token by token', async () => {
    const fields = { loop: { exit_threshold: 0.6, report: true }, logprobs: 2 };
    const whole = (await client.completions.create({ ...base, ...fields } as Completion)).choices[0]!;
    const { choices } = await streamed(fields);
    const joined = <T>(part: (choice: Reported<OpenAI.CompletionChoice>) => T[] | undefined): T[] =>
      (choices as Reported<OpenAI.CompletionChoice>[]).flatMap((choice) => part(choice) ?? []);
    const { loops, token_texts } = whole as Reported<OpenAI.CompletionChoice>;
    expect(joined((choice) => choice.loops)).toEqual(loops);
    expect(joined((choice) => choice.token_texts)).toEqual(token_texts);
    for (const key of ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset'] as const)
      expect(joined<unknown>((choice) => choice.logprobs?.[key])).toEqual(whole.logprobs![key]);
  });

  it('end with the usage if that is wanted', async () => {
    const { chunks } = await streamed({ stream_options: { include_usage: true }, max_tokens: 6 });
    const whole = await client.completions.create({ ...base, max_tokens: 6 } as Completion);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    expect(chunks.slice(0, -1).map(({ usage }) => usage)).toEqual(chunks.slice(1).map(() => null));
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect((await streamed()).chunks.every((chunk) => !('usage' in chunk))).toBe(true);
  });

  it('can be left early, which frees what they held', async () => {
    const long = { ...base, max_tokens: 100 };
    for await (const _ of await client.completions.create({ ...long, stream: true })) break;
    await settled();
  });
});

/** Until nothing runs. */
async function settled(): Promise<void> {
  const { core } = served.decoder;
  while (core.running + core.waiting + served.server.texts > 0) await new Promise((next) => setTimeout(next, 5));
  expect(core.pool.free + core.prefixPages).toBe(core.pool.pages);
}

describe('stop strings', () => {
  it('end the text before them wherever they fall, streamed or not, and no part of one is ever sent', async () => {
    const full = await text({ max_tokens: 40 });
    // All that straddle something: any three code units of the text, and one that never comes.
    for (let at = 0; at + 3 <= Math.min(full.length, 24); at += 2) {
      const stop = [full.slice(at, at + 3), 'never in here'];
      const expected = full.slice(0, full.indexOf(stop[0]!));
      const whole = await client.completions.create({ ...base, max_tokens: 40, stop } as Completion);
      expect(whole.choices[0]).toMatchObject({ text: expected, finish_reason: 'stop' });
      const { texts } = await streamed({ max_tokens: 40, stop });
      expect(texts[0] ?? '').toBe(expected);
    }
  });

  it('that only begin to come are part of the text', async () => {
    const full = await text();
    const stop = `${full.slice(-2)}!!!`;
    expect(await text({ stop })).toBe(full);
    const { texts, choices } = await streamed({ stop, loop: { report: true } });
    expect(texts[0]).toBe(full);
    expect((choices as Reported<OpenAI.CompletionChoice>[]).flatMap(({ loops = [] }) => loops)).toHaveLength(24);
  });

  it('may be special tokens, which the text does not show, alone or after text', async () => {
    const end = tokenizer.idOf('<|im_end|>')!;
    const [x] = await tokenizer.encode('x');
    // Both in turn, as each makes itself less likely.
    const fields = { logit_bias: { [x!]: 100, [end]: 100 }, frequency_penalty: 2, temperature: 0, max_tokens: 8 };
    const unstopped = await client.completions.create({ ...base, ...fields, logprobs: 0 } as Completion);
    const { text: shown, logprobs } = unstopped.choices[0]!;
    const all = logprobs!.tokens!.join('');
    const shownOf = (seen: string) => seen.replaceAll('<|im_end|>', '');
    expect(shown).toBe(shownOf(all));
    for (const stop of ['<|im_end|>', 'x<|im_', '|>x', '<|im_end|>x', 'x']) {
      expect(all).toContain(stop);
      const { choices } = await client.completions.create({ ...base, ...fields, stop } as Completion);
      const cut = all.slice(0, all.indexOf(stop)).replace(/<\|im_end\|?$/, '');
      expect(choices[0], stop).toMatchObject({ text: shownOf(cut), finish_reason: 'stop' });
    }
  });

  it('and stop tokens', async () => {
    const [id] = await tokenizer.encode('x');
    const body = { ...base, logit_bias: { [id!]: 100 }, stop_token_ids: [id] } as Completion;
    const { choices, usage } = await client.completions.create(body);
    expect(choices[0]).toMatchObject({ text: '', finish_reason: 'stop' });
    expect(usage).toMatchObject({ completion_tokens: 0, loops: 0 });
  });
});

describe('log-probabilities', () => {
  /** From one plain pass over all tokens, at the last loop. */
  function plainLogProbs(ids: readonly number[]): Float64Array[] {
    return noGrad(() =>
      scope(() => {
        const states = model.states({ idsBT: tensor([[...ids]], { dtype: 'int64' }) });
        const logProbsTV = model.logits(states.at(-1)!).logSoftmax(-1).select(0, 0);
        return ids.map((_, t) => logProbsTV.select(0, t).toNumbers());
      }),
    );
  }

  it.each([0, 6])('with echo are those of the plain model, %d new tokens', async (max_tokens) => {
    const prompt = 'the answer to 7 plus 8 is 15. 😀';
    const body = { ...base, prompt, max_tokens, echo: true, logprobs: 3, temperature: 0 } as Completion;
    const { choices, usage } = await client.completions.create(body);
    const { text, logprobs, finish_reason } = choices[0]!;
    expect(finish_reason).toBe('length');
    const ids = Array.from(await tokenizer.encode(prompt));
    const plain = await generateText(
      { lm: model, tokenizer },
      {
        prompt,
        maxTokens: Math.max(1, max_tokens),
        exit: { loops: 3 },
      },
    );
    const all = [...ids, ...plain.tokens.slice(0, max_tokens)];
    expect(usage!.completion_tokens).toBe(max_tokens);
    expect(text).toBe(tokenizer.decode(all));
    expect(logprobs!.tokens).toEqual(all.map((id) => tokenizer.decode([id])));
    const expected = plainLogProbs(all);
    logprobs!.token_logprobs!.forEach((logProb, t) => {
      if (t === 0) expect(logProb).toBeNull();
      else expect(logProb).toBeCloseTo(expected[t - 1]![all[t]!]!, 4);
    });
    logprobs!.top_logprobs!.forEach((top, t) => {
      if (t === 0) expect(top).toBeNull();
      else expect(Math.max(...Object.values(top))).toBeCloseTo(Math.max(...expected[t - 1]!), 4);
    });
    // Where a token begins is where the text of those before it ends.
    const points = [...text];
    logprobs!.text_offset!.forEach((offset, t) => {
      const before = tokenizer.decode(all.slice(0, t));
      if (!before.endsWith('\ufffd')) expect(points.slice(0, offset).join('')).toBe(before);
    });
  });

  it('of several choices, and of chats', async () => {
    const body = { ...base, prompt: [PROMPT, 'the dog'], n: 2, echo: true, logprobs: 0, max_tokens: 2 } as Completion;
    const { choices } = await client.completions.create(body);
    for (const { logprobs, text } of choices) {
      expect(logprobs!.tokens!.length).toBe(logprobs!.token_logprobs!.length);
      expect(logprobs!.top_logprobs).toBeNull();
      expect(text.startsWith('the ')).toBe(true);
    }
    const answer = await client.chat.completions.create({ ...chat, logprobs: true, top_logprobs: 2 });
    const content = answer.choices[0]!.logprobs!.content!;
    expect(content).toHaveLength(answer.usage!.completion_tokens);
    for (const { token, bytes, logprob, top_logprobs } of content) {
      expect(logprob).toBeLessThanOrEqual(top_logprobs[0]!.logprob);
      expect(top_logprobs).toHaveLength(2);
      expect(bytes).toEqual(token.includes('\ufffd') ? null : [...Buffer.from(token)]);
    }
  });
});

describe('chats', () => {
  it('are completions of the rendered template', async () => {
    const prompt = '<|im_start|>user\nwhat is 12 plus 30?<|im_end|>\n<|im_start|>assistant\n';
    const stop_token_ids = [tokenizer.idOf('<|im_end|>')!];
    const same = { ...base, prompt, max_tokens: 12, seed: 3, ignore_eos: false, stop_token_ids };
    const expected = await client.completions.create(same as Completion);
    const answer = await client.chat.completions.create(chat);
    expect(answer.choices[0]!.message).toEqual({
      role: 'assistant',
      content: expected.choices[0]!.text,
      refusal: null,
    });
    expect(answer.usage).toEqual(expected.usage);
    const parts: Chat = {
      ...chat,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'what is 12 ' },
            { type: 'text', text: 'plus 30?' },
          ],
        },
      ],
    };
    expect((await client.chat.completions.create(parts)).choices[0]!.message).toEqual(answer.choices[0]!.message);
  });

  it('stream what they say whole', async () => {
    const extra = { n: 2, loop: { report: true, exit_threshold: 0.6 }, ignore_eos: true };
    const whole = await client.chat.completions.create({ ...chat, ...extra });
    const contents = ['', ''];
    const loops: number[][] = [[], []];
    const roles: unknown[] = [];
    for await (const { choices } of await client.chat.completions.create({ ...chat, ...extra, stream: true }))
      for (const choice of choices as Reported<OpenAI.ChatCompletionChunk.Choice>[]) {
        if (choice.delta.role) roles.push([choice.index, choice.delta.role]);
        contents[choice.index] += choice.delta.content ?? '';
        loops[choice.index]!.push(...(choice.loops ?? []));
      }
    expect(contents).toEqual(whole.choices.map(({ message }) => message.content));
    expect(loops).toEqual((whole.choices as Reported<OpenAI.ChatCompletion.Choice>[]).map((choice) => choice.loops));
    expect(roles.sort()).toEqual([
      [0, 'assistant'],
      [1, 'assistant'],
    ]);
  });

  it('go on as long as there is room unless told otherwise', async () => {
    const { max_tokens: _, ...open } = chat;
    const { usage, choices } = await client.chat.completions.create({ ...open, ignore_eos: true } as Chat);
    expect(usage!.total_tokens).toBe(128);
    expect(choices[0]!.finish_reason).toBe('length');
  });
});

describe('errors', () => {
  it('are those of the client', async () => {
    const failing = (fields: object) => client.completions.create({ ...base, ...fields } as Completion);
    await expect(failing({ model: 'gpt-4' })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
    });
    await expect(failing({ prompt: {} })).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(failing({ max_tokens: 1000 })).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      param: 'max_tokens',
      type: 'invalid_request_error',
    });
    // litellm tells this case from others by these words.
    await expect(failing({ max_tokens: 1000 })).rejects.toThrow(/this model's maximum context length is 128 tokens/);
    await expect(failing({ prompt: 'word '.repeat(200) })).rejects.toMatchObject({
      code: 'context_length_exceeded',
      param: 'prompt',
    });
    await expect(failing({ prompt: [300] })).rejects.toThrow(/token id 300 is not in the vocabulary of 290/);
    await expect(failing({ loop: { max_loops: 4 } })).rejects.toThrow(/4/);
    await expect(failing({ loop: { exit_rule: 'confidence' } })).rejects.toThrow(/needs an exit_threshold/);
    await expect(failing({ loop: { treshold: 1 } })).rejects.toMatchObject({ param: 'loop' });
    await expect(failing({ stream: true, max_tokens: 1000 })).rejects.toMatchObject({ status: 400 });
    // One bad prompt among good ones, and nothing of the good ones stays.
    await expect(failing({ prompt: ['good', 'word '.repeat(200)] })).rejects.toMatchObject({ param: 'prompt' });
    await settled();
  });

  it('leave fields that nobody knows alone', async () => {
    expect(await text({ metadata: { a: 1 }, tools: [] } as Partial<Completion>)).toBe(await text());
  });
});
