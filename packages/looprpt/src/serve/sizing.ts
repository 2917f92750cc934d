/**
 * How large a server's cache becomes: what is asked for, or what fits into the memory that is free beside the weights. Decided before
 * a weight is read; settings that cannot fit are refused by name.
 *
 * Mapped weights count as wanted, since a decoder reads them for every token, but only memory of our own is a reason to refuse: the
 * rest can be read again. Other devices than the CPU say themselves when they are full.
 */
import { formatBytes } from '../base/terminal/bytes.js';
import { UserError } from '../base/user-error.js';
import { decoderConfig } from '../decode/core.js';
import { type DecoderMemory, planDecoder } from '../decode/decoder-memory.js';
import { heldWeights, type PlannedModel } from '../train/state/planned-model.js';
import { assertRoom, PROGRAM_BYTES } from '../train/state/room.js';
import type { ServedModelConfig } from './settings.js';

/** Tokens of a cache page. */
export const PAGE = 16;
/** Of cache, unless more is asked for. */
const MOST_CACHE_BYTES = 4 * 2 ** 30;
const MOST_LENGTH = 2048;
/** A text shorter than that is not worth serving; of cache, where mapped weights want all the memory there is. */
const LEAST_LENGTH = 256;
export interface Sizing {
  /** Most tokens of a text with its prompt. */
  maxLength: number;
  /** Tokens that the cache holds with all that is kept of them. */
  cacheTokens: number;
  /** Cache pages, of `PAGE` slots. */
  pages: number;
  memory: DecoderMemory & { weights: number; mapped: number; cache: number; program: number };
  /** What was free; infinite where nobody knows. */
  free: number;
  /** Less than without a limit on memory. */
  isTight: boolean;
}

/** @param free bytes that this process can still take @throws UserError for settings that cannot fit */
export function sizeServer(
  planned: Pick<PlannedModel, 'name' | 'device' | 'way' | 'weights'>,
  config: ServedModelConfig,
  free: number,
): Sizing {
  const { maxBatch: maxSequences, cache, reproducible } = config;
  const held = heldWeights(planned);
  const { loops } = held.config;
  const plan = (maxLength: number): DecoderMemory =>
    planDecoder(held, {
      ...decoderConfig.parse({ maxSequences, maxLength, cache, reproducible }),
      scoresPrompts: true,
    });
  const wanted = config.maxLength ?? MOST_LENGTH;
  const { slot, token, copy, pass } = plan(wanted);
  const { own, mapped } = planned.weights;
  const known = planned.device === 'cpu' ? free : Number.POSITIVE_INFINITY;
  const least = Math.min(LEAST_LENGTH, wanted);
  assertRoom(
    planned,
    {
      parts: { copy, passes: pass, [`a cache of ${least} tokens`]: loops * slot * least },
      less: [...(copy > 0 ? ['products that are not reproducible'] : []), 'a smaller max batch'],
    },
    free,
  );
  const left = known - own - copy - pass - PROGRAM_BYTES;
  // A prompt is read with all its loops, whatever is kept of it.
  const longest = tokensIn(left, loops * slot);
  const beside = Math.max(tokensIn(left - mapped, loops * slot), least);
  if (config.maxLength !== undefined && wanted > longest)
    throw new UserError(
      `max length: a text of ${wanted} tokens needs ${formatBytes(wanted * loops * slot)} of keys and values, and ${formatBytes(left)} are left beside the weights: at most ${longest}`,
    );
  const maxLength = config.maxLength ?? Math.min(wanted, beside);
  const cacheTokens =
    config.cacheTokens ??
    Math.max(maxLength, Math.min(usual(config, maxLength, token), tokensIn(left - mapped, token)));
  if (cacheTokens < maxLength)
    throw new UserError(
      `a cache of ${cacheTokens} tokens cannot hold one text of ${maxLength}: more cache tokens, or a smaller max length`,
    );
  if (cacheTokens * token > left)
    throw new UserError(
      `cache tokens: ${cacheTokens} need ${formatBytes(cacheTokens * token)}, and ${formatBytes(left)} are left beside the weights: at most ${tokensIn(left, token)}`,
    );
  const perToken = cache.decode === 'last' ? 1 : loops;
  const pages = Math.max(perToken * Math.ceil(cacheTokens / PAGE), loops * Math.ceil(maxLength / PAGE));
  return {
    maxLength,
    cacheTokens: Math.floor((pages * PAGE) / perToken),
    pages,
    memory: { ...plan(maxLength), weights: own, mapped, cache: pages * PAGE * slot, program: PROGRAM_BYTES },
    free: known,
    isTight: cacheTokens < Math.max(wanted, usual(config, wanted, token)) && config.cacheTokens === undefined,
  };
}

/** Half of all texts at full length, within reason. */
function usual({ maxBatch }: ServedModelConfig, maxLength: number, token: number): number {
  return Math.max(maxLength, Math.min((maxBatch * maxLength) / 2, Math.floor(MOST_CACHE_BYTES / token)));
}

/** Whole pages only. */
function tokensIn(bytes: number, token: number): number {
  return Number.isFinite(bytes) ? Math.max(0, PAGE * Math.floor(bytes / token / PAGE)) : Number.MAX_SAFE_INTEGER;
}
