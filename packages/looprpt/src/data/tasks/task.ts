/**
 * What every generated task is: a name, a configuration, and a pure function from a random stream to a document.
 */
import type { z } from 'zod';
import type { Rng } from '../../base/rng.js';
import type { Document } from '../documents/document.js';
import type { Belongs } from './split.js';

export interface Task<Schema extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** One line for `data make --list`. */
  readonly describe: string;
  readonly configSchema: Schema;
  /** Every problem in the document satisfies `belongs`; the result depends on nothing but the arguments. */
  generate(rng: Rng, config: z.output<Schema>, belongs: Belongs): Document;
}

/**
 * `meta` of a generated document: `levels` has one number for each answer (each range of the loss), in order, and
 * `difficulty` is the largest of them.
 */
export function taskMeta(task: string, levels: readonly number[]): Record<string, string | number> {
  return { task, difficulty: Math.max(...levels), levels: levels.join(' ') };
}
