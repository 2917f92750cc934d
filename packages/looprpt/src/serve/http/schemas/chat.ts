/** `/v1/chat/completions`: what is asked and what is answered, whole or in pieces. */
import { z } from '@hono/zod-openapi';
import { finishReason, generationFields, MOST_LOG_PROBS, mostTokens, reportFields, usage } from './generation.js';
import { list } from './list.js';
import { refusedChatFields } from './refused.js';

const MOST_MESSAGES = 4096;
const MOST_PARTS = 1024;

const textPart = z.object({
  type: z.literal('text', { error: 'parts of messages can only be text here' }),
  text: z.string(),
});

const message = z
  .looseObject({
    role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
    content: z.union([z.string(), list(textPart, { most: MOST_PARTS })]).nullish(),
    name: z.string().nullish(),
  })
  .describe("what else a message has is the template's business")
  .openapi('ChatMessage');

export const chatRequest = z
  .object({
    ...generationFields,
    ...refusedChatFields,
    messages: list(message, { least: 1, most: MOST_MESSAGES }).describe('the chat so far, oldest first'),
    chat_template_kwargs: z
      .record(z.string(), z.unknown())
      .nullish()
      .describe("variables of the model's chat template, such as enable_thinking (extension)"),
    add_generation_prompt: z
      .boolean()
      .nullish()
      .describe("open the assistant's turn at the end; default true (extension)"),
    max_tokens: generationFields.max_tokens.describe('older name of max_completion_tokens'),
    max_completion_tokens: mostTokens.describe('most tokens to make; default, and -1: as many as fit'),
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
