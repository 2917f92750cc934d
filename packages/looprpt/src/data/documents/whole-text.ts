/** A file, packed or not, as one text. */
import { readBlocks } from './blocks.js';
import type { BrokenRecords } from './broken.js';
import { decodeUtf8, withoutByteOrderMark } from './utf8.js';

/** What one string can hold, with some room. */
const MOST_BYTES = 400 * 2 ** 20;

/** @returns null where the file is too long or not UTF-8, which is reported to `broken`; the mark at its start is dropped */
export async function readWholeText(
  path: string,
  broken: BrokenRecords,
  maxBytes = MOST_BYTES,
): Promise<string | null> {
  const blocks: Buffer[] = [];
  let length = 0;
  for await (const block of readBlocks(path, broken)) {
    blocks.push(block);
    length += block.length;
    if (length > maxBytes) {
      broken.report(
        path,
        `more than ${maxBytes} bytes are too many for one document; cut it with --text-split blank-lines`,
      );
      return null;
    }
  }
  const bytes = Buffer.concat(blocks);
  const decoded = decodeUtf8(bytes);
  if ('invalidAt' in decoded) {
    const line = bytes.subarray(0, decoded.invalidAt).reduce((lines, byte) => lines + (byte === 0x0a ? 1 : 0), 1);
    broken.report(`${path}:${line}`, `invalid UTF-8 at byte ${decoded.invalidAt + 1} of the file`);
    return null;
  }
  return withoutByteOrderMark(decoded.text);
}
