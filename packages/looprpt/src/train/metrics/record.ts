/**
 * One training step's measurements, as they stand in a line of `metrics.jsonl`, and the interface of what receives them.
 *
 * Legend: K loops; every array by loop is in the order 1..K. A number that could not be measured (a non-finite loss)
 * is `null` in the file and NaN in memory.
 */
import { z } from 'zod';
import type { StepResult } from '../trainer.js';

const measured = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

export const MetricsRecordSchema = z.object({
  /** Optimizer steps done, from 1. */
  step: z.number().int().min(0),
  /** Training tokens seen since the start of the run. */
  tokens: z.number().min(0),
  /** Seconds of training since the start of the run, pauses between resumed parts excluded. */
  seconds: z.number().min(0),
  tokensPerSecond: measured,
  learningRate: measured,
  loss: measured,
  /** The objective's named parts, before their weights. */
  parts: z.record(z.string(), measured),
  /** Norm before clipping. */
  gradientNorm: measured,
  /** K: mean step reward R(k) over the hard tokens, nats. */
  rewardByLoop: z.array(measured).optional(),
  /** Mean over groups of the standard deviation of the rewards within a group, nats. */
  advantageSpread: measured.optional(),
  /** Share of groups whose rewards are all equal. */
  noSpreadShare: measured.optional(),
  /** K: share of tokens by exit loop, or mean exit pdf. */
  exitHistogram: z.array(measured),
  /** Mean entropy of the exit pdf, nats. */
  exitEntropy: measured,
  /** Mean of the exit pdf's expected loop. */
  meanLoops: measured,
  /** KL estimate to the teacher, nats. */
  klTeacher: measured.optional(),
  memoryBytes: measured,
  /** The step's gradient was not finite, and the weights were left as they were. */
  skipped: z.boolean().optional(),
  /** Such as a collapsing gate; a sentence each. */
  warnings: z.array(z.string()).optional(),
});

/** One step of training, as a line of `metrics.jsonl` has it: losses in nats, NaN where nothing was measured. */
export type MetricsRecord = z.infer<typeof MetricsRecordSchema>;

/** Receives every step's record, in order of `step`. Nothing may be written after `close`. */
export interface MetricsSink {
  write(record: MetricsRecord): void;
  /** Forgets the steps after `step`; the next record is of the one behind it. */
  rewind(step: number): void;
  close(): void;
}

/** One sink that hands each record to several. */
export function teeMetrics(sinks: readonly MetricsSink[]): MetricsSink {
  return {
    write: (record) => {
      for (const sink of sinks) sink.write(record);
    },
    rewind: (step) => {
      for (const sink of sinks) sink.rewind(step);
    },
    close: () => {
      for (const sink of sinks) sink.close();
    },
  };
}

/** The record of one step, from what the run counts and what the trainer measured. */
export function stepRecord(
  counted: Pick<MetricsRecord, 'step' | 'tokens' | 'seconds' | 'tokensPerSecond' | 'learningRate'>,
  { skipped, gradientNorm, parts, ...measured }: Omit<StepResult, 'tokens' | 'lossTokens'>,
  warnings: string[],
): MetricsRecord {
  return {
    ...counted,
    ...measured,
    parts,
    gradientNorm,
    ...(parts.klTeacher === undefined ? {} : { klTeacher: parts.klTeacher }),
    memoryBytes: process.memoryUsage.rss(),
    ...(skipped ? { skipped } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  };
}
