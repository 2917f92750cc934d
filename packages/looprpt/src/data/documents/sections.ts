/**
 * Long documents cut into sections, so that a collection of few books has documents enough to hold some out and to judge by. Cuts are
 * at blank lines where there are any near, else at line ends, else anywhere between characters.
 *
 * Invariants: the sections of a document, one after the other, are its text; documents with marked ranges (`loss`) stay whole.
 */
import type { Document, Documents } from './document.js';

/** @param characters about as long are sections, in UTF-16 units; a document of less than twice as many stays whole */
export async function* sectionsOf(documents: Documents, characters: number): AsyncGenerator<Document> {
  for await (const document of documents) {
    if (document.loss !== undefined || document.text.length < 2 * characters) yield document;
    else for (const text of cut(document.text, characters)) yield { text, meta: document.meta };
  }
}

function* cut(text: string, characters: number): Generator<string> {
  let from = 0;
  while (text.length - from >= 2 * characters) {
    const end = endOf(text, from + characters, Math.min(from + 2 * characters - 1, text.length - characters));
    yield text.slice(from, end);
    from = end;
  }
  yield text.slice(from);
}

/** The best place to cut from `least` to `most`. */
function endOf(text: string, least: number, most: number): number {
  for (const mark of ['\n\n', '\n', ' ']) {
    const at = text.indexOf(mark, least);
    if (at >= 0 && at + mark.length <= most) return at + mark.length;
  }
  const pair = text.charCodeAt(least - 1) >> 10 === 0xd800 >> 10;
  return pair ? least + 1 : least;
}
