/**
 * Reads what `report` is given: a run folder (`config.json`, `metrics.jsonl`, `eval.json` if there), or a file that
 * `eval --json` wrote, for a model that was not trained here.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { METRICS_FILE, readMetrics } from '../../train/metrics/metrics-log.js';
import { type EvalResult, EvalResultSchema } from '../result.js';
import type { ReportRun } from './input.js';

export interface LoadedRun {
  run: ReportRun;
  /** What the reader of the report should know about the run's files. */
  notes: string[];
}

export function loadRun(path: string): LoadedRun {
  if (!existsSync(path))
    throw new UserError(`${path}: no such run; give a run folder or a file written by eval --json`);
  const name = basename(resolve(path));
  if (!statSync(path).isDirectory()) {
    return { run: { name: name.replace(/\.json$/, ''), metrics: [], evaluation: readEvaluation(path) }, notes: [] };
  }
  const metricsPath = join(path, METRICS_FILE);
  if (!existsSync(metricsPath)) {
    throw new UserError(
      `${path}: not a run folder, it has no ${METRICS_FILE}; train writes one into its output folder`,
    );
  }
  const { records, damagedTail } = readMetrics(metricsPath);
  const configPath = join(path, 'config.json');
  const evaluationPath = join(path, 'eval.json');
  const run: ReportRun = {
    name,
    metrics: records,
    ...(existsSync(configPath) && { config: readJson(configPath) }),
    ...(existsSync(evaluationPath) && { evaluation: readEvaluation(evaluationPath) }),
  };
  const cut = `${name}: the last line of ${METRICS_FILE} was cut off when the run ended, and is left out.`;
  return { run, notes: damagedTail ? [cut] : [] };
}

function readEvaluation(path: string): EvalResult {
  const parsed = EvalResultSchema.safeParse(readJson(path));
  if (parsed.success) return parsed.data;
  const issue: z.core.$ZodIssue = parsed.error.issues[0]!;
  const where = issue.path.join('.') || 'the whole';
  throw new UserError(`${path}: not a result of eval --json on text (${where}: ${issue.message}); write it again`);
}

function readJson(path: string): unknown {
  const text = readFileSync(path, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path}: not JSON (${(error as Error).message}); write it again`);
  }
}
