/**
 * Whether weights that are only read are copied to large pages: where the system has them, the weights are too many for the caches,
 * and the memory is free. Else they stay in the mapped file, where all processes share them and they take no memory that others want.
 */
import { hasLargePages } from '@looprpt/engine';
import { freeMemory } from '../base/free-memory.js';
import { UserError } from '../base/user-error.js';
import type { WeightsPlan } from './weights-plan.js';

/** Fewer lie in a cache after the first token. */
const LEAST_BYTES = 128e6;
const VARIABLE = 'LOOPRPT_LARGE_PAGES';

/**
 * @param beside bytes that will be taken beside the weights
 * @throws UserError for another value of `LOOPRPT_LARGE_PAGES` than 0, which leaves weights in the file, or 1, which is the default
 */
export function goesToLargePages(
  { mapped, own }: Pick<WeightsPlan, 'mapped' | 'own'>,
  beside: number,
  { free = freeMemory(), has = hasLargePages(), environment = process.env } = {},
): boolean {
  const { [VARIABLE]: asked = '1' } = environment;
  if (asked !== '0' && asked !== '1')
    throw new UserError(
      `${VARIABLE}: ${JSON.stringify(asked)} is neither 0, which leaves weights in the mapped file, nor 1`,
    );
  const bytes = mapped + own;
  return asked === '1' && has && bytes >= LEAST_BYTES && bytes + beside <= free;
}
