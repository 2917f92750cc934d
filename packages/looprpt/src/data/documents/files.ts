/**
 * Documents from files: JSONL, JSON, Parquet and plain text, told apart by their extension. Everything is read as a stream;
 * the most that is held is a record, a Parquet row group, or a text file that is one document.
 */
import { z } from 'zod';
import { BrokenRecords, onBrokenSchema } from './broken.js';
import type { Document } from './document.js';
import { expandPaths, kindOf } from './paths.js';
import { readPlainText, textSplitSchema } from './plain-text.js';
import { type RecordConverter, recordConverter, recordFormatSchema } from './record-format.js';
import { type LocatedRecord, readRecords } from './records.js';

export const fileSourceSchema = z.strictObject({
  paths: z.array(z.string().min(1)).min(1).describe('files, folders (searched to the bottom) and glob patterns'),
  format: recordFormatSchema,
  textSplit: textSplitSchema,
  onBroken: onBrokenSchema,
});

export type FileSource = z.output<typeof fileSourceSchema>;

/**
 * @param broken counts the records left out and notes the files; by default a counter of its own
 * @throws UserError for a path that is not there and, unless `onBroken` is 'skip', for a record that cannot be read
 */
export async function* readDocuments(
  source: FileSource,
  broken: BrokenRecords = new BrokenRecords(source.onBroken),
): AsyncGenerator<Document, void, undefined> {
  const converter = recordConverter(source.format);
  for (const path of await expandPaths(source.paths, (file, why) => broken.leaveOut(file, why))) {
    if (kindOf(path) === 'text') yield* readPlainText(path, source.textSplit, broken);
    else yield* converted(readRecords(path, broken, converter), converter, broken);
  }
}

async function* converted(
  records: AsyncIterable<LocatedRecord>,
  converter: RecordConverter,
  broken: BrokenRecords,
): AsyncGenerator<Document, void, undefined> {
  for await (const { where, record } of records) {
    const conversion = converter.convert(record);
    if ('fault' in conversion) broken.report(where, conversion.fault);
    else yield conversion.document;
  }
}
