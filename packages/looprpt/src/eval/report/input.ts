/**
 * What a report is made from. Plain data: run folders are read by `load-run.ts`, a program may also put it together.
 */

import type { MetricsRecord } from '../../train/metrics/record.js';
import type { ComparisonResult, EvalResult } from '../result.js';

export interface ReportRun {
  /** As it stands in legends and tables. */
  name: string;
  /** The resolved configuration; any JSON value. */
  config?: unknown;
  /** Empty for a model that was evaluated only, such as the start checkpoint. */
  metrics: MetricsRecord[];
  evaluation?: EvalResult;
  /** The same evaluation of the same arm from other seeds: figures show the mean, and ± one standard deviation. */
  replicates?: EvalResult[];
}

export interface ReportInput {
  title: string;
  /** What the reader takes away, in a sentence or two; above everything else. */
  verdict?: string;
  runs: ReportRun[];
  comparisons: ComparisonResult[];
  /** Sentences for the reader, such as what is held equal. */
  notes: string[];
  /** The command that made the report. */
  command: string;
  /** Name → version, of what made the runs. */
  versions?: Record<string, string>;
  /** The threshold of the table's adaptive columns and of the exit histogram; the nearest evaluated one is taken. */
  tau?: number;
  madeAt?: Date;
}
