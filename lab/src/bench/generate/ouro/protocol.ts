/** What the processes of this benchmark are asked, a line of JSON each, and what they answer. */
import { z } from 'zod';

export const askedSchema = z.discriminatedUnion('measure', [
  z.object({ measure: z.literal('bandwidth') }),
  z.object({ measure: z.literal('decode'), batch: z.int().min(1), prompt: z.int().min(1), tokens: z.int().min(2) }),
  z.object({ measure: z.literal('speculate'), prompt: z.int().min(1), tokens: z.int().min(2) }),
  z.object({ measure: z.literal('prefill'), prompt: z.int().min(1) }),
]);
export type Asked = z.infer<typeof askedSchema>;

export const measuredSchema = z.object({
  seconds: z.number().positive().describe('by the clock'),
  cpu: z.number().nonnegative().describe('of all threads of the process'),
  work: z.number().positive().describe('tokens made or read, or bytes'),
  passes: z.number().positive().optional().describe('that a token took, where it speculates'),
  accepted: z.number().min(0).max(1).optional().describe('share of the tokens that were started early and kept'),
});
export type Measured = z.infer<typeof measuredSchema>;

/** Times something in this process. @param run returns the work that it did */
export async function timed(run: () => number | Promise<number>): Promise<Measured> {
  const before = process.cpuUsage();
  const start = performance.now();
  const work = await run();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { seconds, cpu: (user + system) / 1e6, work };
}
