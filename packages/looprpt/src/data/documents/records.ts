/**
 * Records of JSONL and Parquet files, one at a time, each with the place it came from for error messages. What a record
 * means (which field is the text) is decided in `record-format.ts`.
 */
import { UserError } from '../../base/user-error.js';
import type { BrokenRecords } from './broken.js';
import { readLines } from './lines.js';
import { DEFAULT_LIMITS, ParquetFile, type ParquetLimits } from './parquet-file.js';

export interface LocatedRecord {
  /** "file:line" or "file, row n", from 1. */
  readonly where: string;
  readonly record: Readonly<Record<string, unknown>>;
}

/** One JSON object a line; blank lines are no records. */
export async function* readJsonl(path: string, broken: BrokenRecords): AsyncGenerator<LocatedRecord, void, undefined> {
  for await (const { number, text } of readLines(path, broken)) {
    if (text.trim() === '') continue;
    const where = `${path}:${number}`;
    const parsed = parseJson(text);
    if ('fault' in parsed) broken.report(where, `no JSON: ${parsed.fault}`);
    else if (typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value)) {
      broken.report(where, `expected a JSON object, found ${text.slice(0, 20).trim()}`);
    } else yield { where, record: parsed.value as Record<string, unknown> };
  }
}

function parseJson(text: string): { readonly value: unknown } | { readonly fault: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { fault: (error as SyntaxError).message.replaceAll(/\s+/g, ' ') };
  }
}

/** Which columns are read: all the required ones, and the optional ones that are there. */
export interface Columns {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/**
 * The rows of a Parquet file, one row group in memory at a time.
 *
 * @param columns read only these; undefined: all
 * @throws UserError when a required column is missing, whatever `broken` says, as then every row would be broken
 */
export async function* readParquet(
  path: string,
  broken: BrokenRecords,
  columns?: Columns,
  limits: ParquetLimits = DEFAULT_LIMITS,
): AsyncGenerator<LocatedRecord, void, undefined> {
  const opened = await ParquetFile.open(path, limits);
  if ('fault' in opened) {
    broken.report(path, `no readable Parquet file: ${opened.fault}`);
    return;
  }
  using file = opened;
  const wanted = columns && presentColumns(path, file.columns, columns);
  for (let group = 0; group < file.groups; group++) {
    const read = await file.rows(group, wanted);
    if ('fault' in read) broken.report(path, `row group ${group + 1}: ${read.fault}`);
    else for (const [n, record] of read.rows.entries()) yield { where: `${path}, row ${read.first + n + 1}`, record };
  }
}

function presentColumns(path: string, present: readonly string[], { required, optional }: Columns): string[] {
  const missing = required.find((column) => !present.includes(column));
  if (missing !== undefined) throw new UserError(`${path}: no column '${missing}'; there are: ${present.join(', ')}`);
  return [...required, ...optional.filter((column) => present.includes(column))];
}
