/**
 * Fields that completions and chat completions share. Fields that nobody knows are left alone, as OpenAI's own server and those
 * like it do; a known one of a wrong type is an error. `null` is as good as absent.
 */
import { z } from '@hono/zod-openapi';
import { EXIT_RULES } from '../../../model/exit-rule.js';

const MOST_CHOICES = 128;
const MOST_STOPS = 16;
const MOST_BIASES = 1024;
export const MOST_LOG_PROBS = 20;

const tokenId = z.int().min(0);

export const loopFields = z
  .strictObject({
    exit_rule: z.enum(EXIT_RULES).optional().describe('when a token stops looping; default gate'),
    exit_threshold: z
      .number()
      .optional()
      .describe(
        "what the rule compares with: the exit gate's cdf (gate), the state's relative change (hidden-change), the likeliest token's probability (confidence), the next token's entropy in nats (entropy)",
      ),
    max_loops: z.int().min(1).optional().describe('most loops of a token; with the rule `loops`, its loops'),
    report: z.boolean().optional().describe('tell the loops and the text of every token'),
  })
  .openapi('Loop');

export const generationFields = {
  model: z.string().nullish().describe('the id that /v1/models lists; may be left out'),
  max_tokens: z.int().min(0).nullish().describe('most tokens to make'),
  temperature: z.number().min(0).max(2).nullish().describe('0 takes the likeliest token; default 1'),
  top_p: z.number().gt(0).max(1).nullish().describe('only the likeliest tokens that together reach this probability'),
  top_k: z.int().min(0).nullish().describe('only the k likeliest tokens; 0 is all (extension)'),
  min_p: z.number().min(0).max(1).nullish().describe('only tokens this share as likely as the likeliest (extension)'),
  repetition_penalty: z
    .number()
    .min(0.01)
    .max(100)
    .nullish()
    .describe('above 1 makes tokens of prompt and text less likely (extension)'),
  presence_penalty: z.number().min(-2).max(2).nullish().describe('off the logit of every token that the text has'),
  frequency_penalty: z.number().min(-2).max(2).nullish().describe('off the logit of a token each time the text has it'),
  n: z.int().min(1).max(MOST_CHOICES).nullish().describe('texts for each prompt'),
  stop: z
    .union([z.string().min(1), z.array(z.string().min(1)).max(MOST_STOPS)])
    .nullish()
    .describe('strings that end the text and are not part of it'),
  stop_token_ids: z.array(tokenId).max(MOST_BIASES).nullish().describe('tokens that end the text (extension)'),
  ignore_eos: z.boolean().nullish().describe("go on after the model's end token (extension)"),
  seed: z.int().nullish().describe('the same seed gives the same text; default: another one for each request'),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, 'a token id'), z.number().min(-100).max(100))
    .refine((biases) => Object.keys(biases).length <= MOST_BIASES, `at most ${MOST_BIASES} tokens`)
    .nullish()
    .describe('by token id, added to its logit'),
  stream: z.boolean().nullish().describe('send the text as it is made, as server-sent events'),
  stream_options: z.object({ include_usage: z.boolean().nullish().describe('a last chunk with the usage') }).nullish(),
  user: z.string().nullish().describe('not used'),
  loop: loopFields.nullish().describe('depth (extension)'),
} as const;

export type GenerationFields = z.output<ReturnType<typeof generationObject>>;
const generationObject = () => z.object(generationFields);

export const usage = z
  .object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int(),
    loops: z.number().describe('mean loops of a token of the texts; 0 where there are none (extension)'),
  })
  .openapi('Usage');

export const finishReason = z.enum(['stop', 'length']);

/** What a choice, whole or in pieces, says of its tokens when `loop.report` asks. */
export const reportFields = {
  loops: z.array(z.int()).optional().describe('of each token (extension)'),
  token_texts: z
    .array(z.string())
    .optional()
    .describe('text that each token made certain; joined, the text (extension)'),
} as const;
