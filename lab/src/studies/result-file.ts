/** An outcome as a file: numbers rounded to what matters, one row a line, so that a change is readable in a diff. */
import { existsSync, readFileSync } from 'node:fs';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { writeWholeFile } from 'looprpt/internal/base/write-file.js';
import { type StudyResult, studyResultSchema } from './result.js';

/** Digits behind the point that fractions and nats keep. */
const DIGITS = 5;

export function writeResult(result: StudyResult, path: string): void {
  const lines = Object.entries(result).map(([key, value]) => `${JSON.stringify(key)}: ${linesOf(value)}`);
  writeWholeFile(path, `{\n${lines.join(',\n')}\n}\n`);
}

function linesOf(value: unknown): string {
  const plain = (item: unknown): string => JSON.stringify(item, rounded);
  return Array.isArray(value) && value.length > 0 ? `[\n${value.map(plain).join(',\n')}\n]` : plain(value);
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) && Math.abs(value) >= 1e-3
    ? Number(value.toFixed(DIGITS))
    : typeof value === 'number' && Math.abs(value) < 1e-3
      ? Number(value.toPrecision(3))
      : value;
}

/** @throws UserError when the file is not there or is no outcome */
export function readResult(path: string): StudyResult {
  if (!existsSync(path)) throw new UserError(`${path}: no such file; run the study first`);
  const parsed = studyResultSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new UserError(`${path}: not the outcome of a study (${issue.path.join('.')}: ${issue.message}); run it again`);
}
