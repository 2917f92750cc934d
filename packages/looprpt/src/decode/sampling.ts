/**
 * How the next token is chosen from its logits; settings alone (sampler.ts does it).
 *
 * Order: bias and penalties; temperature, top-k, top-p, min-p; then a draw from what is left. Wherever tokens tie, lower ids come
 * first, so that greedy choice and every cut are deterministic.
 */
import { z } from 'zod';

/** How the next token is chosen, checked: penalties, then temperature and cuts, then the draw. */
export const samplingConfig = z.strictObject({
  temperature: z.number().min(0).default(1).describe('0 is greedy: the likeliest token, the lowest id of several'),
  topK: z.int().min(0).default(0).describe('only the k likeliest tokens; 0 is all'),
  topP: z.number().gt(0).max(1).default(1).describe('only the likeliest tokens that together reach this probability'),
  minP: z.number().min(0).max(1).default(0).describe('only tokens at least this share as likely as the likeliest'),
  repetitionPenalty: z
    .number()
    .positive()
    .default(1)
    .describe('logits of tokens of prompt and text are divided by this where positive and multiplied where negative'),
  presencePenalty: z
    .number()
    .default(0)
    .describe('taken off the logit of a token that the text so far has, once; the prompt does not count'),
  frequencyPenalty: z
    .number()
    .default(0)
    .describe('taken off the logit of a token for each time that the text so far has it; the prompt does not count'),
});

export type Sampling = z.output<typeof samplingConfig>;
/** How the next token is chosen, as `samplingConfig` takes it: what is left out is at its default. */
export type SamplingOptions = z.input<typeof samplingConfig>;

export const GREEDY: Sampling = samplingConfig.parse({ temperature: 0 });
