/**
 * Fields that completions and chat completions share. Fields that nobody knows are left alone, as OpenAI's own server and those
 * like it do; a known one of a wrong type is an error, and so is one that is not done here. `null` is as good as absent.
 */
import { z } from '@hono/zod-openapi';
import { EXIT_RULES } from '../../../model/exit-rule.js';
import { idList, list } from './list.js';
import { refusedFields } from './refused.js';

const MOST_CHOICES = 128;
const MOST_STOPS = 16;
const MOST_BIASES = 1024;
export const MOST_LOG_PROBS = 20;

/** As llama.cpp's server has it, -1 is no bound of the request's own. */
export const mostTokens = z.int().min(-1).nullish();

const TOKEN_ID = /^\d{1,9}$/;
const bias = z.number().min(-100).max(100);

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
    speculate: z
      .union([
        z.boolean(),
        z.strictObject({
          draft_loops: z
            .int()
            .min(1)
            .optional()
            .describe(
              'loops after which the next token is started, however unsure; default: as soon as it is likely to pay',
            ),
          max_draft: z
            .int()
            .min(1)
            .optional()
            .describe('most tokens started ahead of the last sure one; default: as many as pay'),
        }),
      ])
      .optional()
      .describe(
        'start tokens before those before them are sure, and drop the ones that are wrong: the text of all loops (or of `max_loops`), in less time; goes without an exit threshold',
      ),
    report: z.boolean().optional().describe('tell the loops and the text of every token'),
  })
  .openapi('Loop');

/** Its check ends at the first wrong entry, and begins only where they are not too many. */
const biases = z
  .unknown()
  .transform((value, context): Record<string, number> => {
    const wrong = (message: string, path: string[] = []): never => {
      context.issues.push({ code: 'custom', message, path, input: value });
      return z.NEVER;
    };
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong('give biases by token id');
    const entries = Object.entries(value);
    if (entries.length > MOST_BIASES) return wrong(`${entries.length} tokens; ${MOST_BIASES} are the most`);
    const key = entries.find(([id]) => !TOKEN_ID.test(id));
    if (key) return wrong('a key is no token id');
    const entry = entries.find(([, one]) => !bias.safeParse(one).success);
    return entry ? wrong('not a number from -100 to 100', [entry[0]]) : (value as Record<string, number>);
  })
  .openapi({
    type: 'object',
    propertyNames: { pattern: TOKEN_ID.source },
    maxProperties: MOST_BIASES,
    additionalProperties: { type: 'number', minimum: -100, maximum: 100 },
  } as object);

export const generationFields = {
  model: z.string().nullish().describe('the id that /v1/models lists; may be left out'),
  max_tokens: mostTokens.describe('most tokens to make; -1: as many as fit (extension)'),
  temperature: z.number().min(0).max(2).nullish().describe('0 takes the likeliest token; default 1'),
  top_p: z.number().gt(0).max(1).nullish().describe('only the likeliest tokens that together reach this probability'),
  top_k: z.int().min(-1).nullish().describe('only the k likeliest tokens; 0 and -1 are all (extension)'),
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
    .union([z.string().min(1), list(z.string().min(1), { most: MOST_STOPS })])
    .nullish()
    .describe('strings that end the text and are not part of it'),
  stop_token_ids: idList({ most: MOST_BIASES }).nullish().describe('tokens that end the text (extension)'),
  ignore_eos: z.boolean().nullish().describe("go on after the model's end token (extension)"),
  min_tokens: z.int().min(0).nullish().describe('nothing ends a text that has fewer (extension)'),
  skip_special_tokens: z
    .boolean()
    .nullish()
    .describe('leave special tokens out of the text, but for those of thinking; default true (extension)'),
  include_stop_str_in_output: z
    .boolean()
    .nullish()
    .describe('what ended the text, a stop string or the text of a stop token, is part of it (extension)'),
  seed: z
    .number()
    .min(-(2 ** 63))
    .max(2 ** 64)
    .refine(Number.isInteger, 'not a whole number')
    .nullish()
    .describe('the same seed gives the same text; default: another one for each request')
    .openapi({ type: ['integer', 'null'] }),
  logit_bias: biases.nullish().describe('by token id, added to its logit'),
  stream: z.boolean().nullish().describe('send the text as it is made, as server-sent events'),
  stream_options: z
    .object({ include_usage: z.boolean().nullish().describe('a last chunk with the usage') })
    .nullish()
    .describe('of streams'),
  user: z.string().nullish().describe('not used'),
  loop: loopFields.nullish().describe('depth (extension)'),
  ...refusedFields,
} as const;

export type GenerationFields = z.output<ReturnType<typeof generationObject>>;
const generationObject = () => z.object(generationFields);

export const usage = z
  .object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int(),
    loops: z.number().describe('mean loops of a token of the texts; 0 where there are none (extension)'),
    speculation: z
      .object({
        drafted: z.int().describe('tokens started before the one before them was sure'),
        accepted: z.int().describe('those that full depth agreed with'),
        passes: z.int().describe('passes of the model that the texts took part in, their prompts aside'),
      })
      .optional()
      .describe('of texts that speculate (extension)'),
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
  drafted: z
    .array(z.int().nullable())
    .optional()
    .describe(
      'the loop after which each token was started on a guess that was right, null for the others; missing where all are null (extension)',
    ),
} as const;
