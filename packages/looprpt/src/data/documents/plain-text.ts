/**
 * Plain text files: a file is one document, or is cut at blank lines. Line ends become LF; nothing else is changed.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import type { BrokenRecords } from './broken.js';
import type { Document } from './document.js';
import { readLines } from './lines.js';
import { decodeUtf8, withoutByteOrderMark } from './utf8.js';

export const textSplitSchema = z
  .enum(['file', 'blank-lines'])
  .default('file')
  .describe('a text file is one document, or one document for each stretch between blank lines');

/** What one string can hold, with some room. */
const maxFileBytes = 400 * 2 ** 20;

export function readPlainText(
  path: string,
  split: z.output<typeof textSplitSchema>,
  broken: BrokenRecords,
): AsyncGenerator<Document, void, undefined> {
  switch (split) {
    case 'file':
      return readWhole(path, broken);
    case 'blank-lines':
      return readParagraphs(path, broken);
    default:
      return split satisfies never;
  }
}

async function* readWhole(path: string, broken: BrokenRecords): AsyncGenerator<Document, void, undefined> {
  const { size } = await stat(path);
  if (size > maxFileBytes) {
    broken.report(path, `${size} bytes are too many for one document; set textSplit to 'blank-lines'`);
    return;
  }
  const bytes = await readFile(path);
  const decoded = decodeUtf8(bytes);
  if ('invalidAt' in decoded) {
    const line = bytes.subarray(0, decoded.invalidAt).reduce((lines, byte) => lines + (byte === 0x0a ? 1 : 0), 1);
    broken.report(`${path}:${line}`, `invalid UTF-8 at byte ${decoded.invalidAt + 1} of the file`);
    return;
  }
  const text = withoutByteOrderMark(decoded.text).replaceAll('\r\n', '\n');
  if (text.trim() !== '') yield { text };
}

async function* readParagraphs(path: string, broken: BrokenRecords): AsyncGenerator<Document, void, undefined> {
  let lines: string[] = [];
  for await (const { text } of readLines(path, broken)) {
    if (text.trim() !== '') lines.push(text);
    else if (lines.length > 0) {
      yield { text: lines.join('\n') };
      lines = [];
    }
  }
  if (lines.length > 0) yield { text: lines.join('\n') };
}
