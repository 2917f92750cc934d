/**
 * The held-out set of Omni-MATH. The data set comes as one "test" file; to train on it, its distinct problems are
 * sorted by the SHA-256 of their UTF-8 text and the first 200 are held out. A pure function of the problems: whoever
 * has the same files has the same split.
 */
import { createHash } from 'node:crypto';

export const heldoutProblems = 200;

/** Problems that differ in nothing but case, compatibility forms and white space are one problem. */
function sameness(problem: string): string {
  return problem.normalize('NFKC').toUpperCase().toLowerCase().replaceAll(/\s+/g, '');
}

/** The split's problems in the order of their hashes; of equal problems the first one given is kept. */
export function omniMathSplit<T extends { readonly problem: string }>(
  problems: Iterable<T>,
  split: 'train' | 'heldout',
): T[] {
  const distinct = new Map<string, T>();
  for (const problem of problems) {
    const key = sameness(problem.problem);
    if (!distinct.has(key)) distinct.set(key, problem);
  }
  const sorted = [...distinct.values()]
    .map((problem) => ({ problem, hash: createHash('sha256').update(problem.problem, 'utf8').digest('hex') }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ problem }) => problem);
  return split === 'heldout' ? sorted.slice(0, heldoutProblems) : sorted.slice(heldoutProblems);
}
