/**
 * Writes documents as JSONL. The file is written under a temporary name beside its place, synced and renamed, so that
 * a reader sees the whole of it or nothing.
 */
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../../base/user-error.js';
import type { Document } from './document.js';

const bufferChars = 1 << 20;

/**
 * @param onProgress called after every buffer (about a million characters) with the number of documents so far
 * @returns the number of documents written
 */
export async function writeJsonl(
  out: string,
  documents: Iterable<Document> | AsyncIterable<Document>,
  onProgress: (written: number) => void = () => {},
): Promise<number> {
  await refuseUnwritable(out);
  const temporary = `${out}.${process.pid}.partial`;
  const file = await open(temporary, 'w');
  try {
    let written = 0;
    let buffer = '';
    for await (const document of documents) {
      buffer += `${JSON.stringify(document)}\n`;
      written++;
      if (buffer.length >= bufferChars) {
        await file.writeFile(buffer);
        buffer = '';
        onProgress(written);
      }
    }
    await file.writeFile(buffer);
    await file.sync();
    await rename(temporary, out);
    onProgress(written);
    return written;
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}

async function refuseUnwritable(out: string): Promise<void> {
  const folder = await stat(dirname(out)).catch(() => null);
  if (!folder?.isDirectory()) throw new UserError(`${out}: there is no folder ${dirname(out)}; create it first`);
  const place = await stat(out).catch(() => null);
  if (place?.isDirectory()) throw new UserError(`${out}: is a folder; name a file`);
}
