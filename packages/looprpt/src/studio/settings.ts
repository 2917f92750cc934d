/** The settings of a studio, once: its command takes them as options. Nothing here loads libtorch. */
import { z } from 'zod';
import { MODEL_DTYPES } from '../base/dtypes.js';
import { serveSettings } from '../serve/settings.js';

const { host, apiKey, allowWithoutKey } = serveSettings.shape;

/** The settings of a studio as a zod schema. Strict: an unknown key is an error. */
export const studioSettings = z.strictObject({
  runs: z.array(z.string().min(1)).min(1).default(['runs']).describe('run folders, or folders with runs below them'),
  model: z
    .string()
    .min(1)
    .optional()
    .describe('a model to talk to, and the first to look into: a model folder, a Hub id or a run folder'),
  host,
  port: z.int().min(0).max(65_535).default(8400).describe('0 takes a free one'),
  apiKey: apiKey.describe('what the page asks for; null: no key is asked for'),
  allowWithoutKey,
  device: z.string().optional().describe('cpu, cuda or cuda:N (default: CUDA when there is one)'),
  dtype: z.enum(MODEL_DTYPES).optional().describe("of weights and activations (default: the model's own)"),
  seed: z
    .int()
    .min(0)
    .max(2 ** 50)
    .default(0)
    .describe('of held-out documents of generated tasks'),
  threads: z.int().min(1).optional().describe('CPU threads (default: one for each physical core)'),
});

/** As one writes them: everything may be left out. */
export type StudioSettings = z.input<typeof studioSettings>;
export type StudioConfig = z.output<typeof studioSettings>;
