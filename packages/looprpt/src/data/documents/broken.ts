/**
 * What happens to records that cannot be read: stop with one clear line, or leave them out and count them. One object
 * is shared by all readers of a job, so the count is the job's.
 */
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';

export const onBrokenSchema = z
  .enum(['stop', 'skip'])
  .default('stop')
  .describe('a record that cannot be read stops the job, or is left out and counted');

export type OnBroken = z.output<typeof onBrokenSchema>;

const maxExamples = 5;

export class BrokenRecords {
  readonly #policy: OnBroken;
  readonly #examples: string[] = [];
  #count = 0;

  constructor(policy: OnBroken) {
    this.#policy = policy;
  }

  /** How many were left out so far. */
  get count(): number {
    return this.#count;
  }

  /** The first few, as "where: why". */
  get examples(): readonly string[] {
    return this.#examples;
  }

  /**
   * @param where file and line or row
   * @throws UserError when the policy is to stop
   */
  report(where: string, why: string): void {
    if (this.#policy === 'stop') {
      throw new UserError(`${where}: ${why} (mend it, or set onBroken to 'skip' to leave broken records out)`);
    }
    this.#count++;
    if (this.#examples.length < maxExamples) this.#examples.push(`${where}: ${why}`);
  }
}
