/** `/v1/chat/completions`: what is asked and what is answered, whole or in pieces. */
import { z } from '@hono/zod-openapi';
import { finishReason, generationFields, MOST_LOG_PROBS, reportFields, usage } from './generation.js';

const textPart = z.object({ type: z.literal('text'), text: z.string() });

const message = z
  .object({
    role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
    content: z.union([z.string(), z.array(textPart)]).nullish(),
    name: z.string().nullish(),
  })
  .openapi('ChatMessage');

export const chatRequest = z
  .object({
    ...generationFields,
    messages: z.array(message).min(1),
    max_tokens: generationFields.max_tokens.describe('older name of max_completion_tokens'),
    max_completion_tokens: z.int().min(0).nullish().describe('most tokens to make; default: as many as fit'),
    logprobs: z.boolean().nullish().describe('log-probabilities of the text'),
    top_logprobs: z.int().min(0).max(MOST_LOG_PROBS).nullish().describe('so many of the likeliest tokens beside each'),
  })
  .openapi('ChatCompletionRequest');

export type ChatRequest = z.output<typeof chatRequest>;

const likelyToken = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z
    .array(z.int())
    .nullable()
    .describe("the text's bytes in UTF-8; null where the token holds part of a character"),
});

export const chatLogProbs = z
  .object({ content: z.array(likelyToken.extend({ top_logprobs: z.array(likelyToken) })), refusal: z.null() })
  .openapi('ChatLogProbs');

const ends = { logprobs: chatLogProbs.nullable(), finish_reason: finishReason.nullable(), ...reportFields };

export const chatChoice = z
  .object({
    index: z.int(),
    message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
    ...ends,
  })
  .openapi('ChatChoice');

export type ChatChoice = z.output<typeof chatChoice>;

export const chatChunkChoice = z
  .object({
    index: z.int(),
    delta: z.object({ role: z.literal('assistant').optional(), content: z.string().optional() }),
    ...ends,
  })
  .openapi('ChatChunkChoice');

export type ChatChunkChoice = z.output<typeof chatChunkChoice>;

const common = { id: z.string(), created: z.int(), model: z.string() };

export const chatCompletion = z
  .object({ ...common, object: z.literal('chat.completion'), choices: z.array(chatChoice), usage })
  .openapi('ChatCompletion');

export const chatChunk = z
  .object({
    ...common,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(chatChunkChoice),
    usage: usage.nullish(),
  })
  .openapi('ChatCompletionChunk');
