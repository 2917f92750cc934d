/**
 * Plain text files: a file is one document, or is cut at blank lines. Line ends become LF; nothing else is changed.
 */
import { z } from 'zod';
import type { BrokenRecords } from './broken.js';
import type { Document } from './document.js';
import { readLines } from './lines.js';
import { readWholeText } from './whole-text.js';

export const textSplitSchema = z
  .enum(['file', 'blank-lines'])
  .default('file')
  .describe('a text file is one document, or one document for each stretch between blank lines');

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
  const whole = await readWholeText(path, broken);
  if (whole === null) return;
  const text = whole.replaceAll('\r\n', '\n');
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
