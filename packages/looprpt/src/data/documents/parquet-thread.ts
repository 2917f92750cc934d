/**
 * The thread that decodes Parquet. The library trusts counts that stand in the file, so a few wrong bytes can make it count to
 * 2³¹ or fill all memory; here that ends with this thread. One question at a time, one answer for each.
 */
import assert from 'node:assert/strict';
import { parentPort } from 'node:worker_threads';
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { decodeUtf8 } from './utf8.js';

export type ParquetQuestion =
  | { kind: 'open'; path: string }
  /** Of the file opened last; all columns where none are named. */
  | { kind: 'rows'; group: number; columns: readonly string[] | undefined };

export type ParquetAnswer =
  | { kind: 'opened'; columns: string[]; groups: number }
  | { kind: 'rows'; first: number; rows: Record<string, unknown>[] }
  /** The library throws plain errors for whatever is wrong with a file; here they are a reason. */
  | { kind: 'fault'; fault: string };

const port = parentPort;
assert(port !== null, 'to be started as a worker thread');

let opened: { file: AsyncBuffer; metadata: FileMetaData } | null = null;

async function answerTo(question: ParquetQuestion): Promise<ParquetAnswer> {
  if (question.kind === 'open') {
    const file = await asyncBufferFromFile(question.path);
    const metadata = await parquetMetadataAsync(file);
    opened = { file, metadata };
    const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
    return { kind: 'opened', columns, groups: metadata.row_groups.length };
  }
  assert(opened !== null, 'nothing is opened');
  const { file, metadata } = opened;
  const sizes = metadata.row_groups.map(({ num_rows }) => Number(num_rows));
  const first = sizes.slice(0, question.group).reduce((sum, size) => sum + size, 0);
  const rows = await parquetReadObjects({
    file,
    metadata,
    compressors,
    rowStart: first,
    rowEnd: first + sizes[question.group]!,
    ...(question.columns ? { columns: [...question.columns] } : {}),
    // The library's own puts U+FFFD where bytes are no UTF-8; here such a value is what `decodeUtf8` says is wrong with it.
    parsers: { stringFromBytes: textOrFault },
  });
  return { kind: 'rows', first, rows };
}

function textOrFault(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  const decoded = decodeUtf8(bytes);
  return 'text' in decoded ? decoded.text : decoded;
}

port.on('message', (question: ParquetQuestion) => {
  void answerTo(question)
    .catch((error: unknown): ParquetAnswer => {
      const fault = error instanceof Error ? error.message : String(error);
      return { kind: 'fault', fault };
    })
    .then((answer) => port.postMessage(answer));
});
