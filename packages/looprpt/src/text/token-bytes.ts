/**
 * How many bytes of text so many tokens can come from, without tokenising: a text with more cannot fit, whatever is in it.
 */
type Part = Readonly<Record<string, unknown>>;

/** Normalisers that can only shorten a text so many times. Those that are not here may shorten it without a bound. */
const SHRINKS: Readonly<Record<string, number>> = { NFC: 4, NFD: 4, NFKC: 4, NFKD: 4, Prepend: 1, ByteLevel: 1 };

/**
 * @param file the parsed `tokenizer.json` @param texts of all entries, added ones too
 * @returns most bytes of text that one token stands for; null where there is no such number
 */
export function mostTokenBytes(file: Part, texts: Iterable<string>): number | null {
  const model = (file.model ?? {}) as Part;
  // Here one unknown token may stand for a word of any length.
  if (model.type !== undefined && model.type !== 'BPE') return null;
  if (model.unk_token != null && model.byte_fallback !== true && !hasByteLevel(file)) return null;
  const added = Array.isArray(file.added_tokens) ? (file.added_tokens as Part[]) : [];
  // These swallow the white space beside them.
  if (added.some(({ lstrip, rstrip }) => lstrip === true || rstrip === true)) return null;
  const shrink = shrinkOf(file.normalizer);
  if (shrink === null) return null;
  let most = 1;
  for (const text of texts) most = Math.max(most, Buffer.byteLength(text));
  return most * shrink;
}

function hasByteLevel(file: Part): boolean {
  return JSON.stringify(file.pre_tokenizer ?? null).includes('"ByteLevel"');
}

function shrinkOf(normalizer: unknown): number | null {
  if (normalizer == null) return 1;
  const { type, normalizers, pattern, content } = normalizer as Part;
  if (type === 'Sequence' && Array.isArray(normalizers)) {
    const all = normalizers.map(shrinkOf);
    return all.includes(null) ? null : all.reduce<number>((product, one) => product * one!, 1);
  }
  // One character for another, as a space for the mark of a word's beginning.
  const replaced = (pattern as Part | undefined)?.String;
  if (type === 'Replace' && typeof replaced === 'string' && typeof content === 'string')
    return Buffer.byteLength(content) >= Buffer.byteLength(replaced) ? 1 : null;
  return SHRINKS[String(type)] ?? null;
}
