/**
 * Records of JSONL and Parquet files, one at a time, each with the place it came from for error messages. What a record
 * means (which field is the text) is decided in `record-format.ts`.
 */
import {
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { UserError } from '../../user-error.js';
import type { BrokenRecords } from './broken.js';
import { readLines } from './lines.js';

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
): AsyncGenerator<LocatedRecord, void, undefined> {
  const file = await asyncBufferFromFile(path);
  const metadata = await attempt(parquetMetadataAsync(file));
  if ('fault' in metadata) {
    broken.report(path, `no readable Parquet file: ${metadata.fault}`);
    return;
  }
  const wanted = columns && presentColumns(path, metadata.value, columns);
  let rowStart = 0;
  for (const [index, group] of metadata.value.row_groups.entries()) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await attempt(
      parquetReadObjects({
        file,
        metadata: metadata.value,
        rowStart,
        rowEnd,
        compressors,
        ...(wanted ? { columns: wanted } : {}),
      }),
    );
    if ('fault' in rows) broken.report(path, `row group ${index + 1} (rows from ${rowStart + 1}): ${rows.fault}`);
    else {
      for (const [offset, record] of rows.value.entries()) {
        yield { where: `${path}, row ${rowStart + offset + 1}`, record };
      }
    }
    rowStart = rowEnd;
  }
}

function presentColumns(path: string, metadata: FileMetaData, { required, optional }: Columns): string[] {
  const present = parquetSchema(metadata).children.map(({ element }) => element.name);
  const missing = required.find((column) => !present.includes(column));
  if (missing !== undefined) throw new UserError(`${path}: no column '${missing}'; there are: ${present.join(', ')}`);
  return [...required, ...optional.filter((column) => present.includes(column))];
}

/** The library throws plain errors for whatever is wrong with a file; here they become a reason. */
async function attempt<T>(reading: Promise<T>): Promise<{ readonly value: T } | { readonly fault: string }> {
  try {
    return { value: await reading };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}
