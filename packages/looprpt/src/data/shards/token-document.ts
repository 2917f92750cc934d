/**
 * A document as token ids, with an end-of-document id behind the text and a mark on each id that counts in the loss.
 * This is the one place where ranges of characters become marks on tokens.
 */
import type { EncodedText, Tokenizer } from '../../text/tokenizer.js';
import type { CharRange, Document } from '../documents/document.js';

export interface TokenDocument {
  /** n ids; the last one ends the document. May be a view of a mapped file. */
  readonly ids: Uint16Array | Uint32Array | Int32Array;
  /** n marks: 1 where the id counts in the loss as a target. Null: all count. */
  readonly loss: Uint8Array | null;
}

/**
 * Tokenises a batch; the order is kept. A token counts when its text overlaps a range of the document's `loss`; the id
 * that ends the document counts when the last character does.
 */
export async function tokenizeDocuments(
  tokenizer: Tokenizer,
  documents: readonly Document[],
): Promise<TokenDocument[]> {
  const end = tokenizer.endOfTextId;
  // Offsets are slow to fetch, so only documents with ranges pay for them.
  const plain = documents.filter((document) => document.loss === undefined);
  const ids = (await tokenizer.encodeBatch(plain.map((document) => document.text))).values();
  return Promise.all(
    documents.map(async ({ text, loss }) => {
      if (loss === undefined) return { ids: append(ids.next().value!, end), loss: null };
      const encoded = await tokenizer.encodeWithOffsets(text);
      return { ids: append(encoded.ids, end), loss: marks(encoded, loss, text.length) };
    }),
  );
}

function append(ids: Int32Array, end: number): Int32Array {
  const all = new Int32Array(ids.length + 1);
  all.set(ids);
  all[ids.length] = end;
  return all;
}

/** Ranges are sorted and apart; tokens start in text order, several of them perhaps in one character. */
function marks({ starts, ends }: EncodedText, ranges: readonly CharRange[], length: number): Uint8Array {
  const counts = new Uint8Array(starts.length + 1);
  let next = 0;
  for (let i = 0; i < starts.length; i++) {
    while (next < ranges.length && ranges[next]![1] <= starts[i]!) next++;
    const range = ranges[next];
    if (range !== undefined && range[0] < ends[i]!) counts[i] = 1;
  }
  const last = ranges.at(-1);
  if (last !== undefined && last[1] >= length) counts[starts.length] = 1;
  return counts;
}
