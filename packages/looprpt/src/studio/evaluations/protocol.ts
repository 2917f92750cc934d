/** An evaluation that a page asked for, and what its process is told and tells. */
import type { Judgement } from '../../eval/judge.js';

export interface EvaluationJob {
  /** What `judge` takes, and what the page calls it. */
  model: { path: string; name: string };
  /** Compared with, on the same tokens; null for none. */
  base: { path: string; name: string } | null;
  /** `task:NAME`, or a file or folder. */
  data: string;
  maxTokens: number;
  seed: number;
  device?: string | undefined;
  dtype?: 'float32' | 'bfloat16' | 'float16' | 'float64' | undefined;
  threads?: number | undefined;
}

export type FromEvaluation =
  | { kind: 'progress'; model: string; tokens: number }
  | { kind: 'done'; result: Judgement }
  | { kind: 'failed'; message: string };

/** As `GET /api/evaluations` has it. */
export interface EvaluationSummary {
  id: string;
  model: string;
  base: string | null;
  data: string;
  state: 'waiting' | 'running' | 'done' | 'failed' | 'stopped';
  /** Counted tokens so far, of all models, and at most. */
  tokens: number;
  mostTokens: number;
  /** Why it failed. */
  message: string | null;
}
