/** The report of runs from their folders: one self-contained page of curves, plots and tables, and its figures as numbers. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { versions } from '../../base/versions.js';
import { assertWritable } from '../../base/write-file.js';
import { type ComparisonResult, ComparisonResultSchema } from '../result.js';
import type { ReportInput } from './input.js';
import { loadRun } from './load-run.js';
import { type ReportJson, reportJson, writeReport } from './page.js';

/** What a report says of itself. */
export interface ReportOptions {
  /** The heading; default: the runs' names. */
  title?: string | undefined;
  /** The exit threshold τ of the adaptive columns, the nearest evaluated one; default 0.5. */
  tau?: number | undefined;
  /** The command or program that makes it. */
  command?: string | undefined;
}

/**
 * Writes one self-contained HTML page about runs: training curves, accuracy against mean loops and FLOPs, by loop and difficulty.
 * @param runs run folders, and files that `looprpt eval --out` wrote
 * @returns its figures as numbers
 * @throws UserError when there is no such run, or the page cannot be written
 * @example
 * await report([run.out, 'runs/base'], { out: 'report.html' });
 */
export async function report(
  runs: string | readonly string[],
  { out, ...options }: ReportOptions & { out: string },
): Promise<ReportJson> {
  assertWritable(out);
  const input = reportInput(typeof runs === 'string' ? [runs] : runs, options);
  await writeReport(input, out);
  return reportJson(input);
}

/** @throws UserError when there is no such run */
export function reportInput(paths: readonly string[], { title, tau, command = '' }: ReportOptions): ReportInput {
  const loaded = paths.map(loadRun);
  return {
    title: title ?? loaded.map(({ run }) => run.name).join(', '),
    runs: loaded.map(({ run }) => run),
    comparisons: paths.flatMap(comparisonsIn),
    notes: loaded.flatMap(({ notes }) => notes),
    command,
    versions: versions(),
    ...(tau === undefined ? {} : { tau }),
    madeAt: new Date(),
  };
}

const compared = z.object({ comparisons: z.array(ComparisonResultSchema).default([]) });

/** The bootstrap intervals that `eval --compare` left in an evaluation. */
function comparisonsIn(path: string): ComparisonResult[] {
  const file = statSync(path).isDirectory() ? join(path, 'eval.json') : path;
  if (!existsSync(file)) return [];
  const parsed = compared.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  return parsed.success ? parsed.data.comparisons : [];
}
