/** Records of a JSONL file, each checked as it is read. Blank lines are skipped. */
import { readFileSync, statSync } from 'node:fs';
import type { z } from 'zod';
import { UserError } from '../../base/user-error.js';

/** @throws UserError with file, line and key */
export function readRecords<T>(path: string, schema: z.ZodType<T>, limit = Number.POSITIVE_INFINITY): T[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new UserError(`${path}: no such file; give a JSONL file with the task's items`);
  const records: T[] = [];
  for (const [number, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (records.length >= limit) break;
    if (line.trim() === '') continue;
    const parsed = schema.safeParse(jsonOf(line, `${path}:${number + 1}`));
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw new UserError(`${path}:${number + 1}: ${issue.path.join('.') || 'the record'}: ${issue.message}`);
    }
    records.push(parsed.data);
  }
  if (records.length === 0) throw new UserError(`${path}: no records in this file`);
  return records;
}

function jsonOf(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new UserError(`${where}: not a line of JSON`);
  }
}
