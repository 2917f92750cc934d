/**
 * What a later token sees of an earlier one at a loop that the earlier one never reached, and whether prompts leave early.
 * The two are separate settings: a prompt is read once and decides everything after it.
 */
import { z } from 'zod';

export const CACHES = ['per-loop', 'last', 'complete'] as const;

export const cachePolicyConfig = z
  .strictObject({
    decode: z
      .enum(CACHES)
      .default('per-loop')
      .describe(
        'what later tokens see of one that left early. per-loop: at loops that it left out, those of its last; they are ' +
          'saved, and the text can differ from that of all loops. last: those of its last at every loop, 1/K of the memory; for ' +
          'models made for it. complete: all its loops, run together when a later token looks for them; the text is that of ' +
          'upstream',
      ),
    prefill: z
      .enum(['all', 'adaptive'])
      .default('all')
      .describe(
        'all: every token of a prompt but the last, which decoding starts from, runs all loops. adaptive: each leaves by the ' +
          "request's exit rule. While a prompt is read its tokens always see each other loop by loop",
      ),
  })
  .refine(({ decode, prefill }) => decode !== 'complete' || prefill === 'all', {
    error: 'a complete cache has all loops of the prompt too: prefill adaptive goes with per-loop and last only',
    path: ['prefill'],
  });

/** What the cache keeps of tokens that left early, and how prompts are read. */
export type CachePolicy = z.output<typeof cachePolicyConfig>;

/**
 * The most pages that one sequence holds.
 * @param loops most loops that a token of the sequence runs @param prompt tokens read before decoding starts
 * @param capacity tokens that the cache will hold in the end
 */
export function pageNeed(
  { decode }: CachePolicy,
  pagesFor: (tokens: number) => number,
  { loops, prompt, capacity }: { loops: number; prompt: number; capacity: number },
): number {
  return decode === 'last' ? pagesFor(capacity) + (loops - 1) * pagesFor(prompt) : loops * pagesFor(capacity);
}
