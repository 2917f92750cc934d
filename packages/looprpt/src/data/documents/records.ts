/**
 * Records of JSON, JSONL and Parquet files, one at a time, each with the place it came from for error messages: the one reader for
 * training data, named data sets and benchmarks. What a record means is decided elsewhere (`record-format.ts`, `named-records.ts`,
 * the tasks of `eval`).
 */
import { UserError } from '../../base/user-error.js';
import { BrokenRecords } from './broken.js';
import { holdsArray, readArrayElements } from './json-array.js';
import { readLines } from './lines.js';
import { DEFAULT_LIMITS, ParquetFile, type ParquetLimits } from './parquet-file.js';
import { kindOf } from './paths.js';
import { decodeUtf8 } from './utf8.js';
import { readWholeText } from './whole-text.js';

export interface LocatedRecord {
  /** "file:line", "file, row n" or "file, record n", from 1. */
  readonly where: string;
  readonly record: Readonly<Record<string, unknown>>;
}

/** Which columns of a Parquet file are read: all the required ones, and the optional ones that are there. */
export interface Columns {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/**
 * The records of a file by its kind.
 * @param columns of Parquet only these; undefined: all
 * @throws UserError for a file of a kind that has no records, or without a required column, whatever `broken` says
 */
export function readRecords(
  path: string,
  broken: BrokenRecords,
  columns?: Columns,
): AsyncGenerator<LocatedRecord, void, undefined> {
  const kind = kindOf(path);
  switch (kind) {
    case 'jsonl':
      return readJsonl(path, broken);
    case 'json':
      return readJson(path, broken);
    case 'parquet':
      return readParquet(path, broken, columns);
    case 'text':
      throw new UserError(`${path}: plain text has no records; give JSONL, a JSON array or Parquet`);
    default:
      return kind satisfies never;
  }
}

/** One JSON object a line; blank lines are no records. */
export async function* readJsonl(path: string, broken: BrokenRecords): AsyncGenerator<LocatedRecord, void, undefined> {
  for await (const { number, text } of readLines(path, broken)) {
    if (text.trim() === '') continue;
    const where = `${path}:${number}`;
    const record = objectOf(text, where, broken);
    if (record) yield { where, record };
  }
}

/** `.json` is used for an array of records, for a record a line, and for one record over several lines. */
async function* readJson(path: string, broken: BrokenRecords): AsyncGenerator<LocatedRecord, void, undefined> {
  if (await holdsArray(path)) {
    yield* readArray(path, broken);
    return;
  }
  const record = await loneRecord(path);
  if (record === null) yield* readJsonl(path, broken);
  else yield { where: path, record };
}

async function* readArray(path: string, broken: BrokenRecords): AsyncGenerator<LocatedRecord, void, undefined> {
  for await (const { number, bytes } of readArrayElements(path, broken)) {
    const where = `${path}, record ${number}`;
    const decoded = decodeUtf8(bytes);
    if ('invalidAt' in decoded) broken.report(where, `invalid UTF-8 at byte ${decoded.invalidAt + 1} of the record`);
    else {
      const record = objectOf(decoded.text, where, broken);
      if (record) yield { where, record };
    }
  }
}

/** The one record of a file whose first line is no record; null where it holds none, or one a line. */
async function loneRecord(path: string): Promise<Record<string, unknown> | null> {
  const silent = new BrokenRecords('skip');
  for await (const { text } of readLines(path, silent)) {
    if (text.trim() === '') continue;
    if ('value' in parseJson(text)) return null;
    break;
  }
  const whole = await readWholeText(path, silent);
  const parsed = whole === null ? null : parseJson(whole);
  return parsed !== null && 'value' in parsed && isObject(parsed.value) ? parsed.value : null;
}

/** The object that a text is; anything else is reported. */
function objectOf(text: string, where: string, broken: BrokenRecords): Record<string, unknown> | null {
  const parsed = parseJson(text);
  if ('value' in parsed && isObject(parsed.value)) return parsed.value;
  if ('fault' in parsed) broken.report(where, `no JSON: ${parsed.fault}`);
  else broken.report(where, `expected a JSON object, found ${text.trim().slice(0, 20).trim()}`);
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(text: string): { readonly value: unknown } | { readonly fault: string } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { fault: (error as SyntaxError).message.replaceAll(/\s+/g, ' ') };
  }
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
