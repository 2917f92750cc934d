/** From the fields of a request to a job for the decoder. */
import type { Job, PromptInput } from '../worker/protocol.js';
import { ApiError } from './errors.js';
import type { ChatRequest } from './schemas/chat.js';
import type { CompletionRequest } from './schemas/completions.js';
import type { GenerationFields } from './schemas/generation.js';

const DEFAULT_COMPLETION_TOKENS = 16;
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
    maxTokens: body.max_tokens ?? DEFAULT_COMPLETION_TOKENS,
    logProbs: body.logprobs ?? null,
    echo: body.echo ?? false,
  };
}

export function chatJob(body: ChatRequest, seed: () => number): Job {
  if (body.top_logprobs != null && body.logprobs !== true)
    throw ApiError.invalid('top_logprobs needs logprobs: true', 'top_logprobs');
  const messages = body.messages.map(({ role, content, name }) => ({
    // The newer name of the same role; templates know the older one.
    role: role === 'developer' ? 'system' : role,
    content: typeof content === 'string' ? content : (content ?? []).map(({ text }) => text).join(''),
    ...(name == null ? {} : { name }),
  }));
  return {
    ...commonJob(body, seed),
    prompts: [{ kind: 'chat', messages }],
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    logProbs: body.logprobs === true ? (body.top_logprobs ?? 0) : null,
    echo: false,
  };
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
    loop: { rule: body.loop?.exit_rule, threshold: body.loop?.exit_threshold, maxLoops: body.loop?.max_loops },
    sampling: {
      temperature: temperature < COLDEST ? 0 : temperature,
      topK: body.top_k ?? 0,
      topP: body.top_p ?? 1,
      minP: body.min_p ?? 0,
      repetitionPenalty: body.repetition_penalty ?? 1,
    },
    presencePenalty: body.presence_penalty ?? 0,
    frequencyPenalty: body.frequency_penalty ?? 0,
    seed: body.seed == null ? seed() : fromZero(body.seed),
    stop: body.stop == null ? [] : [body.stop].flat(),
    stopIds: body.stop_token_ids ?? [],
    ignoreEnd: body.ignore_eos ?? false,
    logitBias: Object.entries(body.logit_bias ?? {}).map(([id, bias]) => [Number(id), bias]),
  };
}

/** Seeds below zero are numbers near 2^53. */
function fromZero(seed: number): number {
  return seed < 0 ? 2 ** 53 + seed : seed;
}

function promptsOf(prompt: CompletionRequest['prompt']): PromptInput[] {
  if (typeof prompt === 'string') return [{ kind: 'text', text: prompt }];
  if (isIds(prompt)) return [{ kind: 'ids', ids: prompt }];
  return prompt.map((one) => (typeof one === 'string' ? { kind: 'text', text: one } : { kind: 'ids', ids: one }));
}

function isIds(prompt: string[] | number[] | number[][]): prompt is number[] {
  return typeof prompt[0] === 'number';
}
