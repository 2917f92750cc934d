/**
 * One text from a prompt with a decoder of its own, and its figures: what `generate --json` prints.
 *
 * The decoder is as large as this text needs, and gone afterwards; for more than one text keep a `Decoder`.
 */
import { z } from 'zod';
import type { CachePolicy } from './cache-policy.js';
import { type DecoderConfig, decoderConfig } from './core.js';
import { Decoder } from './decoder.js';
import type { GeneratedToken, GenerateOptions } from './generation.js';
import { promptTokens, type TextModel } from './prompt.js';

export const generatedTextSchema = z.object({
  text: z.string(),
  /** Without the stop token. */
  tokens: z.array(z.int()),
  /** The loop that each token was read out at, from 1. */
  loops: z.array(z.int()),
  /** 0 for no tokens. */
  meanLoops: z.number(),
  finishReason: z.enum(['stop', 'length']),
  /** Wall-clock time of prompt and tokens. */
  seconds: z.number(),
  tokensPerSecond: z.number(),
  /** With `speculate`: tokens started before the one before them was sure, those that were right, and passes after the prompt's. */
  speculation: z.object({ drafted: z.int(), accepted: z.int(), passes: z.int() }).optional(),
});

export type GeneratedText = z.infer<typeof generatedTextSchema>;

export interface GenerateTextOptions extends GenerateOptions {
  prompt: string;
  maxTokens: number;
  /** What later tokens see of one that left early. Default complete: the text that upstream would make. */
  cache?: CachePolicy['decode'];
  /** Called with every token as its text is certain. */
  onToken?: (token: GeneratedToken) => void;
}

/** Prompt tokens of a pass: nobody waits beside them. */
const PREFILL_ROWS = 512;

/** The decoder of one text. @param size tokens of the prompt, and those to be made at most */
export function generationConfig({
  prompt,
  maxTokens,
  cache,
}: {
  prompt: number;
  maxTokens: number;
  cache: CachePolicy['decode'];
}): DecoderConfig {
  return decoderConfig.parse({
    maxSequences: 1,
    maxLength: prompt + maxTokens,
    prefillRows: PREFILL_ROWS,
    cache: { decode: cache },
    prefixReuse: false,
  });
}

/**
 * @throws UserError when the prompt has no tokens and the model no token to begin with
 * @example
 * const { text, loops } = await generateText(model, { prompt: 'Problem: …', maxTokens: 64, exit: { gate: 0.7 } });
 */
export async function generateText(
  model: TextModel,
  { prompt, cache = 'complete', onToken, ...options }: GenerateTextOptions,
): Promise<GeneratedText> {
  const ids = await promptTokens(model, prompt);
  const started = performance.now();
  using decoder = new Decoder(model, generationConfig({ prompt: ids.length, maxTokens: options.maxTokens, cache }));
  const made: GeneratedToken[] = [];
  const generation = decoder.generate(ids, options);
  for await (const token of generation) {
    made.push(token);
    onToken?.(token);
  }
  const seconds = (performance.now() - started) / 1000;
  const loops = made.map(({ loop }) => loop);
  return {
    text: made.map(({ text }) => text).join(''),
    tokens: made.map(({ id }) => id),
    loops,
    meanLoops: loops.reduce((sum, used) => sum + used, 0) / Math.max(1, loops.length),
    finishReason: generation.finish === 'length' ? 'length' : 'stop',
    seconds,
    tokensPerSecond: made.length / seconds,
    ...(generation.speculation ? { speculation: generation.speculation } : {}),
  };
}
