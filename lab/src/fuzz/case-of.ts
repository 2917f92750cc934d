/** Case number i of a target is a function of the seed and of i alone, so any process can make it again. */
import fc from 'fast-check';
import type { CaseFiles, FuzzTarget } from './target.js';

export function caseOf({ cases }: FuzzTarget, seed: number, index: number): CaseFiles {
  return fc.sample(cases, { seed: mixed(seed, index), numRuns: 1 })[0]!;
}

/**
 * The smallest case that still fails, found by fast-check from a case that does.
 * @param fails must be the same each time
 */
export async function smallest(
  { cases }: FuzzTarget,
  seed: number,
  index: number,
  fails: (files: CaseFiles) => Promise<boolean>,
): Promise<CaseFiles> {
  const property = fc.asyncProperty(cases, async (files) => !(await fails(files)));
  const found = await fc.check(property, { seed: mixed(seed, index), numRuns: 1, interruptAfterTimeLimit: 10_000 });
  return found.counterexample?.[0] ?? caseOf({ cases, read: () => undefined }, seed, index);
}

/** A 32-bit hash in which every bit of both numbers counts (the finaliser of MurmurHash3). */
function mixed(seed: number, index: number): number {
  let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ index;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
