/**
 * What happens to records that cannot be read: stop with one clear line, or leave them out and count them. Files of a folder that
 * nobody reads are noted here too. One object is shared by all readers of a job, so the counts are the job's.
 */
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';

export const onBrokenSchema = z
  .enum(['stop', 'skip'])
  .default('stop')
  .describe('a record that cannot be read stops the job, or is left out and counted');

export type OnBroken = z.output<typeof onBrokenSchema>;

const maxExamples = 5;

const HINT = ' (mend it, or leave broken records out: --on-broken skip, in a mixture `onBroken: skip`)';

export class BrokenRecords {
  readonly #policy: OnBroken;
  readonly #hint: string;
  readonly #examples: string[] = [];
  readonly #files: string[] = [];
  #count = 0;

  /** @param hint how else to mend it, behind the message of the record that stops the job */
  constructor(policy: OnBroken, hint = HINT) {
    this.#policy = policy;
    this.#hint = hint;
  }

  /** How many were left out so far. */
  get count(): number {
    return this.#count;
  }

  /** The first few, as "where: why". */
  get examples(): readonly string[] {
    return this.#examples;
  }

  /** Files of the folders named that are not of the data, as "path: why". */
  get files(): readonly string[] {
    return this.#files;
  }

  leaveOut(path: string, why: string): void {
    this.#files.push(`${path}: ${why}`);
  }

  /**
   * @param where file and line or row
   * @throws UserError when the policy is to stop
   */
  report(where: string, why: string): void {
    if (this.#policy === 'stop') {
      throw new UserError(`${where}: ${why}${this.#hint}`);
    }
    this.#count++;
    if (this.#examples.length < maxExamples) this.#examples.push(`${where}: ${why}`);
  }
}
