/**
 * What a run does about steps whose loss or gradient is not finite. Such a step never changes the weights (the trainer sees to
 * that); here it is decided whether to go on, to go back, or to stop.
 */
import { z } from 'zod';

const positive = z.number().int().positive();

export const nonFiniteConfigSchema = z.strictObject({
  action: z
    .enum(['skip', 'rollback', 'stop'])
    .default('skip')
    .describe(
      'skip: leave such a step out and go on, until stopAfter of them in a row; rollback: after rollbackAfter in a row go back to the newest checkpoint, and on with the data that come next; stop: end at the first',
    ),
  stopAfter: positive.default(10).describe('skip: so many skipped steps in a row end the run'),
  rollbackAfter: positive.default(3).describe('rollback: so many skipped steps in a row send the run back'),
  maxRollbacks: positive.default(5).describe('rollback: one more than this ends the run'),
});
export type NonFiniteConfig = z.output<typeof nonFiniteConfigSchema>;

export type Reaction = { kind: 'go on' } | { kind: 'go back' } | { kind: 'stop'; reason: string };

/**
 * @param inRow steps in a row that were not finite, up to now
 * @param rollbacks how often the run has gone back already
 */
export function reactionTo(inRow: number, rollbacks: number, config: NonFiniteConfig): Reaction {
  if (inRow === 0) return { kind: 'go on' };
  const what = 'had a loss or gradient that is not finite';
  const steps = `${inRow} ${inRow === 1 ? 'step' : 'steps in a row'} ${what}`;
  const mend = 'lower optimizer.learningRate, or look at the data';
  switch (config.action) {
    case 'stop':
      return { kind: 'stop', reason: `${steps}; ${mend} (nonFinite.action can be skip or rollback)` };
    case 'skip':
      if (inRow < config.stopAfter) return { kind: 'go on' };
      return { kind: 'stop', reason: `${steps}; ${mend} (nonFinite.stopAfter sets the limit)` };
    case 'rollback':
      if (inRow < config.rollbackAfter) return { kind: 'go on' };
      if (rollbacks < config.maxRollbacks) return { kind: 'go back' };
      return {
        kind: 'stop',
        reason: `${steps}, after ${rollbacks} rollbacks; ${mend} (nonFinite.maxRollbacks sets the limit)`,
      };
    default:
      return config.action satisfies never;
  }
}
