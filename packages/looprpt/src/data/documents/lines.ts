/**
 * The lines of a text file, packed or not, as a stream: memory is bounded by one block and the longest line. Line ends are LF or
 * CRLF, a byte order mark at the start is dropped. What each line means is the business of others.
 */
import { readBlocks } from './blocks.js';
import type { BrokenRecords } from './broken.js';
import { decodeUtf8, withoutByteOrderMark } from './utf8.js';

export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

export interface LineOptions {
  /** Longer lines are broken; they cannot be held as one string. */
  readonly maxBytes?: number;
  readonly blockBytes?: number;
}

/** Every line that is valid UTF-8; the others are reported to `broken`, with the byte at which they go wrong. */
export async function* readLines(
  path: string,
  broken: BrokenRecords,
  { maxBytes = 256 * 2 ** 20, blockBytes }: LineOptions = {},
): AsyncGenerator<Line, void, undefined> {
  let number = 0;
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;

  const finish = (tail: Uint8Array): Line | null => {
    number++;
    const bytes = pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
    const length = pendingBytes + tail.length;
    pending = [];
    pendingBytes = 0;
    if (length > maxBytes) {
      broken.report(`${path}:${number}`, `the line has ${length} bytes, more than ${maxBytes}`);
      return null;
    }
    const decoded = decodeUtf8(bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes);
    if ('invalidAt' in decoded) {
      broken.report(`${path}:${number}`, `invalid UTF-8 at byte ${decoded.invalidAt + 1} of the line`);
      return null;
    }
    return { number, text: number === 1 ? withoutByteOrderMark(decoded.text) : decoded.text };
  };

  for await (const block of readBlocks(path, broken, blockBytes)) {
    let start = 0;
    for (let end = block.indexOf(lineFeed); end !== -1; end = block.indexOf(lineFeed, start)) {
      const line = finish(block.subarray(start, end));
      start = end + 1;
      if (line) yield line;
    }
    const rest = block.subarray(start);
    pendingBytes += rest.length;
    // Of a line that is too long already only the length is kept.
    if (pendingBytes <= maxBytes) pending.push(rest);
    else pending = [];
  }
  if (pendingBytes > 0) {
    const line = finish(Buffer.alloc(0));
    if (line) yield line;
  }
}
