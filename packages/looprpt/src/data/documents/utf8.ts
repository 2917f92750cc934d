/**
 * Strict UTF-8: text, or where it goes wrong. A byte order mark is kept, as only the start of a file may drop it.
 */

export type Decoded = { readonly text: string } | { readonly invalidAt: number };

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text, or the offset at which the first character begins that is malformed or cut off. */
export function decodeUtf8(bytes: Uint8Array): Decoded {
  const text = tryDecode(bytes);
  return text === undefined ? { invalidAt: firstInvalid(bytes) } : { text };
}

/** What a field is that is no string, for a message: a fault of its bytes, or something else altogether. */
export function whatInsteadOfText(value: unknown): string {
  const invalid = typeof value === 'object' && value !== null && 'invalidAt' in value;
  return invalid ? `is invalid UTF-8 at byte ${Number(value.invalidAt) + 1}` : 'is no text';
}

/** The file's first text without its byte order mark. */
export function withoutByteOrderMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

function tryDecode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Bisection: a prefix that may still be continued decodes as part of a stream, one with a wrong byte does not. Of the
 * longest that does, the complete characters are what comes before the fault.
 */
function firstInvalid(bytes: Uint8Array): number {
  let [good, bad] = [0, bytes.length + 1];
  let complete = '';
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const text = tryDecodePrefix(bytes.subarray(0, middle));
    if (text === undefined) bad = middle;
    else [good, complete] = [middle, text];
  }
  return Buffer.byteLength(complete);
}

function tryDecodePrefix(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return undefined;
  }
}
