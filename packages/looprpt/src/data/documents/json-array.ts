/**
 * The elements of a JSON array as a stream of texts: memory is bounded by one block and the longest element. Only brackets, strings
 * and commas are told apart here; whether an element is JSON is for its reader to find out.
 */
import { readBlocks } from './blocks.js';
import { BrokenRecords } from './broken.js';

export interface ArrayElement {
  /** From 1. */
  readonly number: number;
  /** UTF-8, not checked. */
  readonly bytes: Uint8Array;
}

export interface ArrayOptions {
  /** Longer elements are broken; they cannot be held as one string. */
  readonly maxBytes?: number;
  readonly blockBytes?: number;
}

const SPACES = new Set(Buffer.from(' \n\r\t'));
const [QUOTE, COMMA, OPEN, BACKSLASH, CLOSE, OPEN_BRACE, CLOSE_BRACE] = Buffer.from('",[\\]{}') as unknown as number[];
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

/** Reports to `broken` what stands outside of the array, an array that does not end, and elements that are empty or too long. */
export async function* readArrayElements(
  path: string,
  broken: BrokenRecords,
  { maxBytes = 256 * 2 ** 20, blockBytes }: ArrayOptions = {},
): AsyncGenerator<ArrayElement, void, undefined> {
  // Depth 0 is outside of the array, 1 between its elements.
  let [depth, number, length] = [0, 0, 0];
  let [inElement, inString, escaped, afterComma, ended] = [false, false, false, false, false];
  let pieces: Uint8Array[] = [];
  const where = (): string => `${path}, record ${number}`;
  const keep = (piece: Uint8Array): void => {
    length += piece.length;
    // Of an element that is too long already only the length is kept.
    if (length <= maxBytes) pieces.push(piece);
    else pieces = [];
  };

  for await (const block of readBlocks(path, broken, blockBytes)) {
    let start = 0;
    for (let at = 0; at < block.length; at++) {
      const byte = block[at]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (SPACES.has(byte)) {
        // Parts nothing that brackets and commas do not.
      } else if (depth === 0) {
        if (ended) return broken.report(path, 'there is text behind the end of the JSON array');
        if (byte === OPEN) depth = 1;
        else if (!BYTE_ORDER_MARK.includes(byte)) return broken.report(path, 'expected a JSON array');
      } else if (depth === 1 && (byte === COMMA || byte === CLOSE)) {
        if (inElement) {
          keep(block.subarray(start, at));
          if (length > maxBytes) broken.report(where(), `has ${length} bytes, more than ${maxBytes}`);
          else yield { number, bytes: Buffer.concat(pieces) };
          pieces = [];
          length = 0;
        } else if (byte === COMMA || afterComma) broken.report(where(), 'a comma with no record at its side');
        inElement = false;
        afterComma = byte === COMMA;
        ended = byte === CLOSE;
        if (ended) depth = 0;
      } else {
        if (!inElement) {
          inElement = true;
          start = at;
          number++;
        }
        if (byte === QUOTE) inString = true;
        else if (byte === OPEN || byte === OPEN_BRACE) depth++;
        else if ((byte === CLOSE || byte === CLOSE_BRACE) && depth > 1) depth--;
      }
    }
    if (inElement) keep(block.subarray(start));
  }
  if (!ended) broken.report(path, 'the JSON array does not end');
}

/** Whether the first character of a file that is no white space opens an array. */
export async function holdsArray(path: string): Promise<boolean> {
  for await (const block of readBlocks(path, new BrokenRecords('skip'), 4096)) {
    const first = block.find((byte) => !SPACES.has(byte) && !BYTE_ORDER_MARK.includes(byte));
    if (first !== undefined) return first === OPEN;
  }
  return false;
}
