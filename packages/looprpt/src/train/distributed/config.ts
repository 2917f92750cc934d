/** How a run is spread over processes; how many there are is not here but in the environment they are started with. */
import { z } from 'zod';

export const distributedConfigSchema = z.strictObject({
  zero: z
    .boolean()
    .default(false)
    .describe(
      'ZeRO-1: every rank keeps only its share of the optimizer state and of the teacher; more is sent, checkpoints are the same',
    ),
  replicateTeacher: z
    .boolean()
    .default(false)
    .describe(
      'with zero: every rank keeps the whole teacher all the same, which saves gathering it for every micro-batch',
    ),
  bucketMegabytes: z
    .number()
    .positive()
    .default(4)
    .describe('gradients are summed in buckets of about this size, each as soon as it is full'),
  timeLimitSeconds: z
    .number()
    .positive()
    .max(86_400)
    .default(600)
    .describe('longest that the ranks wait for each other: at the start, and in every collective'),
  silenceSeconds: z
    .number()
    .min(0.5)
    .max(3600)
    .default(30)
    .describe('a rank without a sign of life for so long is taken for dead, and the others stop'),
});
export type DistributedConfig = z.output<typeof distributedConfigSchema>;
