/**
 * The alphabet of the symbolic tasks: a … z, then aa, ab, … zz. Lower-case letters only, so that with spaces around
 * them a byte-level BPE trained on the text makes each of them one token.
 */
import assert from 'node:assert/strict';

const letters = 26;
export const maxSymbols = letters + letters * letters;

export function symbolName(index: number): string {
  assert(Number.isInteger(index) && index >= 0 && index < maxSymbols);
  const letter = (value: number) => String.fromCharCode(97 + value);
  if (index < letters) return letter(index);
  const rest = index - letters;
  return letter(Math.floor(rest / letters)) + letter(rest % letters);
}
