/**
 * Which split a generated problem belongs to. The split is a property of the problem alone: a hash of its canonical
 * form (presentation, order and phrasing left out) decides, and neither seed nor index enters. So no problem of one
 * split can occur in another one, whatever the seeds, and a generator that is asked for a split redraws until its
 * problem falls there.
 */
import { UserError } from '../../base/user-error.js';

export const splits = ['train', 'heldout', 'tune'] as const;
export type Split = (typeof splits)[number];

/** Says whether a problem, named by its canonical form, may be used. */
export type Belongs = (canonical: string) => boolean;

const buckets = 20;
/**
 * A twentieth of the problems that exist is enough for a split, and half of that is still found with near certainty
 * within these draws.
 */
const maxDraws = 10_000;

/** FNV-1a over the UTF-16 code units, finished with MurmurHash3's mixer; an unsigned 32-bit word. */
export function contentHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Of all problems 1/20 are held out, 1/20 are for tuning, and the rest is for training. */
export function splitOf(canonical: string): Split {
  const bucket = contentHash(canonical) % buckets;
  return bucket === 0 ? 'heldout' : bucket === 1 ? 'tune' : 'train';
}

export function belongsTo(split: Split): Belongs {
  return (canonical) => splitOf(canonical) === split;
}

/**
 * Draws problems until one belongs. A user who asks for a split of a task with a handful of problems is told so, as
 * that split may be empty.
 *
 * @param what names the task and the setting that makes for more problems, for that message
 */
export function drawBelonging<T extends { readonly canonical: string }>(
  draw: () => T,
  belongs: Belongs,
  what: { readonly task: string; readonly widen: string },
): T {
  for (let attempt = 0; attempt < maxDraws; attempt++) {
    const problem = draw();
    if (belongs(problem.canonical)) return problem;
  }
  throw new UserError(
    `task '${what.task}': these settings allow so few different problems that this split has none; ${what.widen}`,
  );
}
