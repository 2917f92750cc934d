/** `/v1/completions`: what is asked and what is answered, whole or in pieces. */
import { z } from '@hono/zod-openapi';
import { finishReason, generationFields, MOST_LOG_PROBS, reportFields, usage } from './generation.js';
import { idList, list } from './list.js';

const MOST_PROMPTS = 2048;
/** More than any model takes; what this one takes is checked when its length is known. */
const MOST_IDS = 2 ** 20;
const ids = idList({ least: 1, most: MOST_IDS });

export const completionRequest = z
  .object({
    ...generationFields,
    prompt: z
      .union([
        z.string(),
        list(z.string(), { least: 1, most: MOST_PROMPTS }),
        ids,
        list(ids, { least: 1, most: MOST_PROMPTS }),
      ])
      .describe('a text, token ids, or several of either'),
    max_tokens: generationFields.max_tokens.describe('most tokens to make; default 16, and 0 scores the prompt alone'),
    echo: z
      .boolean()
      .nullish()
      .describe('the prompt in front of the text, with its log-probabilities if those are wanted'),
    logprobs: z
      .int()
      .min(0)
      .max(MOST_LOG_PROBS)
      .nullish()
      .describe('log-probabilities, and so many of the likeliest tokens'),
    best_of: z.int().nullish().describe('must equal n'),
    suffix: z
      .string()
      .max(0, 'this server does not fill in before a suffix; leave it out')
      .nullish()
      .describe('there is no filling in'),
  })
  .openapi('CompletionRequest');

export type CompletionRequest = z.output<typeof completionRequest>;

export const completionLogProbs = z
  .object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number().nullable()).describe('null for the first token of a prompt'),
    top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullable(),
    text_offset: z.array(z.int()).describe('where each token begins, in code points from the start of the prompt'),
  })
  .openapi('CompletionLogProbs');

export const completionChoice = z
  .object({
    index: z.int(),
    text: z.string(),
    logprobs: completionLogProbs.nullable(),
    finish_reason: finishReason.nullable(),
    ...reportFields,
  })
  .openapi('CompletionChoice');

export type CompletionChoice = z.output<typeof completionChoice>;

/** A chunk of a stream has the same shape; its usage is null but in the last one. */
export const completion = z
  .object({
    id: z.string(),
    object: z.literal('text_completion'),
    created: z.int(),
    model: z.string(),
    choices: z.array(completionChoice),
    usage: usage.nullish(),
  })
  .openapi('Completion');
