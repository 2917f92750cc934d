/**
 * The settings of a server, once: its program takes them as options, `serve` as an object, and the server's two threads each the part
 * that is theirs. Nothing here loads libtorch.
 */
import { z } from 'zod';
import { MODEL_DTYPES, WEIGHT_FORMATS } from '../base/dtypes.js';
import { cachePolicyConfig } from '../decode/cache-policy.js';

/** The settings of a server as a zod schema. Strict: an unknown key is an error. */
export const serveSettings = z.strictObject({
  model: z
    .string()
    .min(1)
    .describe('a model folder, a Hub id or a run folder (its blended model or newest checkpoint)'),
  modelId: z
    .string()
    .min(1)
    .optional()
    .describe("the model's id for clients (default: the last part of the model's name)"),
  host: z.string().min(1).default('127.0.0.1').describe('address to listen on'),
  port: z.int().min(0).max(65_535).default(8000).describe('0 takes a free one'),
  apiKey: z.string().min(1).nullable().default(null).describe('what clients must know; null: no key is asked for'),
  allowWithoutKey: z
    .boolean()
    .default(false)
    .describe(
      'answer without an API key to other host names than localhost, and listen on other addresses than loopback',
    ),
  allowOrigins: z
    .array(z.string().regex(/^(\*|https?:\/\/[^/\s]+)$/, 'an origin is http://host:port, or * for any'))
    .default([])
    .describe('origins whose pages may use the server from a browser, such as http://localhost:3000; * is any'),
  device: z.string().optional().describe('cpu, cuda or cuda:N (default: CUDA when there is one)'),
  dtype: z.enum(MODEL_DTYPES).optional().describe("of weights and activations (default: the model's own)"),
  weights: z
    .enum(WEIGHT_FORMATS)
    .optional()
    .describe(
      'numbers in which matrices are held, on the CPU: int8 and int4 are made while loading (default: as stored)',
    ),
  threads: z.int().min(1).optional().describe('CPU threads (default: one for each physical core)'),
  exitThreshold: z
    .number()
    .optional()
    .describe("of requests that name none: stop looping where the exit CDF reaches it (default: the model's)"),
  maxLoops: z
    .int()
    .min(1)
    .optional()
    .describe("of requests that name none: loops for every token, at most (default: the model's)"),
  speculate: z
    .boolean()
    .default(false)
    .describe(
      'of requests that name no exit rule: the text of all loops, in less time, by starting tokens before those before them are sure',
    ),
  maxBatch: z.int().min(1).default(32).describe('texts that run at once'),
  maxLength: z
    .int()
    .min(2)
    .optional()
    .describe('most tokens of a text with its prompt (default: 2048, or what fits into memory)'),
  cacheTokens: z
    .int()
    .min(1)
    .optional()
    .describe(
      'tokens that the cache holds, all loops of them (default: half of all texts at full length, up to 4 GiB and to what is free)',
    ),
  cache: cachePolicyConfig.prefault({}),
  prefixReuse: z.boolean().default(true).describe('prompts that begin alike are read once'),
  reproducible: z.boolean().default(true).describe('a seed gives the same text whatever else is in the batch'),
  queue: z.int().min(0).default(256).describe('texts that may wait beyond those that run; 429 beyond'),
  requestSeconds: z.number().positive().max(86_400).default(600).describe('most seconds of a request'),
  maxBodyBytes: z
    .int()
    .min(1)
    .default(4 * 2 ** 20)
    .describe('largest body of a request, in bytes'),
  stallSeconds: z
    .number()
    .positive()
    .default(60)
    .describe('silence of the decoder, in seconds, after which the server is not ready'),
  seed: z.int().min(0).optional().describe('of the seeds of requests that name none (default: chance)'),
});

/** The settings of a server as one writes them: all but `model` may be left out. */
export type ServeSettings = z.input<typeof serveSettings>;

/** What the decoder's thread is started with. */
export const servedModelConfig = serveSettings.pick({
  model: true,
  device: true,
  dtype: true,
  weights: true,
  threads: true,
  exitThreshold: true,
  maxLoops: true,
  speculate: true,
  maxBatch: true,
  maxLength: true,
  cacheTokens: true,
  cache: true,
  prefixReuse: true,
  reproducible: true,
});
export type ServedModelConfig = z.output<typeof servedModelConfig>;

/** What the server's thread has. */
export const serverConfig = serveSettings
  .pick({
    modelId: true,
    host: true,
    port: true,
    apiKey: true,
    allowWithoutKey: true,
    allowOrigins: true,
    maxBatch: true,
    queue: true,
    requestSeconds: true,
    maxBodyBytes: true,
    stallSeconds: true,
    seed: true,
  })
  .required({ modelId: true });
export type ServerConfig = z.output<typeof serverConfig>;
