/**
 * How the benchmark talks to a worker, ours or the peer's: the worker waits; one line in is one step of training, and one
 * line of JSON comes back. Ours also answers the lines "parts" and "operators" with a profiled step.
 */
import { createInterface } from 'node:readline';
import { z } from 'zod';

/** One step. MB are 2^20 bytes. */
export const stepReplySchema = z.object({
  seconds: z.number().positive().describe('of the whole step'),
  cpu: z.number().nonnegative().describe('CPU seconds of all threads of the process'),
  others: z.number().nonnegative().describe('cores that other programs kept busy meanwhile'),
  loss: z.number(),
  parts: z.record(z.string(), z.number()).describe('of the loss, before their weights'),
  rss: z.number().describe('peak resident memory so far, MB'),
  rss_import: z.number().describe('the same before there was a model'),
  parameters: z.number().int(),
});
export type StepReply = z.infer<typeof stepReplySchema>;

/** A part of the algorithm in one step. */
export const partTimeSchema = z.object({
  part: z.string(),
  seconds: z.number(),
  native: z.number().describe('of these inside the addon'),
});
export type PartTime = z.infer<typeof partTimeSchema>;
export const partsReplySchema = z.object({ parts: z.array(partTimeSchema) });

export const operatorsReplySchema = z.object({
  seconds: z.number(),
  operators: z.array(
    z.object({ operator: z.string(), backward: z.boolean(), calls: z.number().int(), milliseconds: z.number() }),
  ),
});
export type OperatorsReply = z.infer<typeof operatorsReplySchema>;

/** The rate of matrix products of some shapes. */
export const matmulReplySchema = z.object({
  gflops: z.array(z.object({ shape: z.string(), best: z.number(), median: z.number() })),
  libtorch: z.string(),
  threads: z.number().int(),
});
export type MatmulReply = z.infer<typeof matmulReplySchema>;

/** Answers each line of `input` with a line of JSON, until the input ends. */
export async function serve(
  input: NodeJS.ReadableStream,
  answer: (line: string) => unknown,
  write: (line: string) => void,
): Promise<void> {
  for await (const line of createInterface({ input })) write(`${JSON.stringify(answer(line.trim()))}\n`);
}
