/** From the fields of a request to a job for the decoder. */
import type { ChatMessage } from '../../text/chat-template.js';
import type { Job, LoopWish, PromptInput } from '../worker/protocol.js';
import { ApiError } from './errors.js';
import type { ChatRequest } from './schemas/chat.js';
import type { CompletionRequest } from './schemas/completions.js';
import type { GenerationFields } from './schemas/generation.js';

const DEFAULT_COMPLETION_TOKENS = 16;
const UNBOUNDED = -1;
/** Below this the likeliest token is all that is left of the distribution, and dividing by it overflows. */
const COLDEST = 1e-3;

/** What a request wants of its answer, beside the texts themselves. */
export interface Wants {
  stream: boolean;
  usageChunk: boolean;
  /** Loops and texts of tokens. */
  report: boolean;
}

/** @param seed where the request names none */
export function completionJob(body: CompletionRequest, seed: () => number): Job {
  if (body.best_of != null && body.best_of !== (body.n ?? 1))
    throw ApiError.invalid('best_of must equal n: this server returns every text that it makes', 'best_of');
  return {
    ...commonJob(body, seed),
    prompts: promptsOf(body.prompt),
    maxTokens: bounded(body.max_tokens ?? DEFAULT_COMPLETION_TOKENS),
    logProbs: body.logprobs ?? null,
    echo: body.echo ?? false,
  };
}

export function chatJob(body: ChatRequest, seed: () => number): Job {
  if (body.top_logprobs != null && body.logprobs !== true)
    throw ApiError.invalid('top_logprobs needs logprobs: true', 'top_logprobs');
  const messages = templateMessages(body.messages);
  const opensAnswer = body.add_generation_prompt ?? true;
  return {
    ...commonJob(body, seed),
    prompts: [{ kind: 'chat', messages, variables: body.chat_template_kwargs ?? {}, opensAnswer }],
    maxTokens: bounded(body.max_completion_tokens ?? body.max_tokens ?? UNBOUNDED),
    logProbs: body.logprobs === true ? (body.top_logprobs ?? 0) : null,
    echo: false,
  };
}

/** Messages as templates know them. */
export function templateMessages(messages: ChatRequest['messages']): ChatMessage[] {
  return messages.map(({ role, content, name, ...more }) => ({
    ...more,
    // The newer name of the same role; templates know the older one.
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : (content ?? []).map(({ text }) => text).join(''),
    ...(name == null ? {} : { name }),
  }));
}

export function wantsOf({ stream, stream_options: options, loop }: GenerationFields): Wants {
  return {
    stream: stream ?? false,
    usageChunk: options?.include_usage ?? false,
    report: loop?.report ?? false,
  };
}

function commonJob(
  body: GenerationFields,
  seed: () => number,
): Omit<Job, 'prompts' | 'maxTokens' | 'logProbs' | 'echo'> {
  const temperature = body.temperature ?? 1;
  return {
    choices: body.n ?? 1,
    loop: loopWish(body.loop ?? {}),
    sampling: {
      temperature: temperature < COLDEST ? 0 : temperature,
      topK: Math.max(0, body.top_k ?? 0),
      topP: body.top_p ?? 1,
      minP: body.min_p ?? 0,
      repetitionPenalty: body.repetition_penalty ?? 1,
      presencePenalty: body.presence_penalty ?? 0,
      frequencyPenalty: body.frequency_penalty ?? 0,
    },
    seed: body.seed == null ? seed() : seedOf(body.seed),
    stop: body.stop == null ? [] : [body.stop].flat(),
    stopIds: body.stop_token_ids ?? [],
    ignoreEnd: body.ignore_eos ?? false,
    minTokens: body.min_tokens ?? 0,
    skipSpecial: body.skip_special_tokens ?? true,
    keepStop: body.include_stop_str_in_output ?? false,
    logitBias: Object.entries(body.logit_bias ?? {}).map(([id, bias]) => [Number(id), bias]),
  };
}

/** @returns null for as many as fit */
function bounded(mostTokens: number): number | null {
  return mostTokens === UNBOUNDED ? null : mostTokens;
}

/** @throws ApiError where it contradicts itself */
function loopWish(loop: NonNullable<GenerationFields['loop']>): LoopWish {
  const { exit_rule: rule, exit_threshold: threshold, max_loops: maxLoops, speculate } = loop;
  const wish = { rule, threshold, maxLoops };
  if (speculate === undefined || speculate === false) return { ...wish, speculate };
  if (threshold !== undefined || (rule !== undefined && rule !== 'loops'))
    throw ApiError.invalid(
      'loop.speculate gives the text of all loops: leave out exit_rule and exit_threshold, or speculate',
      'loop.speculate',
    );
  if (speculate === true) return { ...wish, speculate };
  return { ...wish, speculate: { draftLoops: speculate.draft_loops, maxDraft: speculate.max_draft } };
}

/** 0 … 2^53 − 1. Seeds below zero are numbers near 2^53; the upper bits of those beyond are folded into the lower ones. */
function seedOf(seed: number): number {
  if (Number.isSafeInteger(seed)) return seed < 0 ? 2 ** 53 + seed : seed;
  const bits = BigInt.asUintN(64, BigInt(seed));
  return Number(BigInt.asUintN(53, bits ^ (bits >> 53n)));
}

function promptsOf(prompt: CompletionRequest['prompt']): PromptInput[] {
  if (typeof prompt === 'string') return [{ kind: 'text', text: prompt }];
  if (isIds(prompt)) return [{ kind: 'ids', ids: prompt }];
  return prompt.map((one) => (typeof one === 'string' ? { kind: 'text', text: one } : { kind: 'ids', ids: one }));
}

function isIds(prompt: string[] | number[] | number[][]): prompt is number[] {
  return typeof prompt[0] === 'number';
}
