/** What the decoder's thread is started with. The server's thread reads this too, so it must not load libtorch. */
import { z } from 'zod';
import { cachePolicyConfig } from '../../decode/cache-policy.js';

export const servedModelConfig = z.strictObject({
  model: z.string().describe('a model folder, a Hub id or a run folder'),
  device: z.string().optional().describe('default: CUDA when there is one'),
  dtype: z.enum(['float32', 'bfloat16', 'float16', 'float64']).optional().describe("default: the model's own"),
  threads: z.int().min(1).optional(),
  exitThreshold: z.number().optional().describe("of requests that name none; default: the model's"),
  maxLoops: z.int().min(1).optional().describe("of requests that name none; default: the model's"),
  maxBatch: z.int().min(1).default(32).describe('texts that run at once'),
  maxLength: z.int().min(2).default(2048).describe('most tokens of a text with its prompt'),
  cacheTokens: z
    .int()
    .min(1)
    .optional()
    .describe('tokens that the cache holds, all loops of them; default: half of all texts at full length, up to 4 GiB'),
  cache: cachePolicyConfig.prefault({}),
  prefixReuse: z.boolean().default(true).describe('prompts that begin alike are read once'),
  reproducible: z.boolean().default(true).describe('a seed gives the same text whatever else is in the batch'),
});

export type ServedModelConfig = z.output<typeof servedModelConfig>;
