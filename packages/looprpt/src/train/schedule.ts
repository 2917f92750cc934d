/** The learning rate at every step: a linear warm-up to its peak, then a decay to a floor. */
import { z } from 'zod';

export const scheduleConfigSchema = z.strictObject({
  kind: z.enum(['constant', 'linear', 'cosine']).default('cosine').describe('the decay after the warm-up'),
  warmupSteps: z.number().int().nonnegative().default(20).describe('steps from 0 to the peak'),
  floor: z.number().min(0).max(1).default(0.1).describe('share of the peak that is left at the last step'),
});
export type ScheduleConfig = z.infer<typeof scheduleConfigSchema>;

/**
 * @param step the step about to be made, from 1
 * @param total steps of the whole run
 * @returns a factor in (0, 1]
 */
export function scheduleFactor({ kind, warmupSteps, floor }: ScheduleConfig, step: number, total: number): number {
  if (step <= warmupSteps) return step / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, total - warmupSteps));
  switch (kind) {
    case 'constant':
      return 1;
    case 'linear':
      return 1 - (1 - floor) * progress;
    case 'cosine':
      return floor + ((1 - floor) * (1 + Math.cos(Math.PI * progress))) / 2;
    default:
      return kind satisfies never;
  }
}

/** η of every step, counted from 1. */
export function scheduledRate(peak: number, schedule: ScheduleConfig, steps: number): (step: number) => number {
  return (step) => peak * scheduleFactor(schedule, step, steps);
}
