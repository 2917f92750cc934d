/** A benchmark's records from the user's file, each checked as it is read; the reader is that of all data. */
import { stat } from 'node:fs/promises';
import type { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { BrokenRecords } from '../../data/documents/broken.js';
import { readRecords } from '../../data/documents/records.js';

/** What a record means, or why it is none. */
export type Meaning<T> = (record: unknown) => { readonly value: T } | { readonly fault: string };

/** @throws UserError with file, line and key */
export async function readItems<T>(path: string, meaning: Meaning<T>, limit = Number.POSITIVE_INFINITY): Promise<T[]> {
  if (!(await stat(path).catch(() => null))?.isFile())
    throw new UserError(`${path}: no such file; give a file with the task's items (JSONL, a JSON array or Parquet)`);
  const items: T[] = [];
  if (limit <= 0) return items;
  // A benchmark without some of its items is another one, so nothing is left out.
  for await (const { where, record } of readRecords(path, new BrokenRecords('stop', ''))) {
    const found = meaning(record);
    if ('fault' in found) throw new UserError(`${where}: ${found.fault}`);
    items.push(found.value);
    if (items.length >= limit) break;
  }
  if (items.length === 0) throw new UserError(`${path}: no records in this file`);
  return items;
}

/** A schema as a meaning; the first issue is the fault. @param form what a record has, for the message about one that lacks it */
export function bySchema<T>(schema: z.ZodType<T>, form: string): Meaning<T> {
  return (record) => {
    const parsed = schema.safeParse(record);
    if (parsed.success) return { value: parsed.data };
    const { path, message } = parsed.error.issues[0]!;
    const missing = path.length === 1 && typeof record === 'object' && record !== null && !(String(path[0]) in record);
    return { fault: `${path.join('.') || 'the record'}: ${missing ? `is missing; a record has ${form}` : message}` };
  };
}
