/**
 * How often every word occurs in a corpus, where words are what Ouro's pre-tokenisation makes: every digit on its own,
 * then GPT-2's byte-level split. A word is written in the 256 byte-level letters. Splitting is done by the same library
 * that will encode, so training and use agree on what a word is.
 */

/** Texts longer than this many characters are cut at a line end first, which bounds the memory that splitting takes. */
const CHUNK = 1 << 16;

/** Counts the words of all texts; the map is in order of first occurrence. */
export async function countWords(texts: AsyncIterable<string> | Iterable<string>): Promise<Map<string, number>> {
  const { byteLevelPreTokenizer, digitsPreTokenizer, sequencePreTokenizer } = await import('tokenizers');
  const splitter = sequencePreTokenizer([digitsPreTokenizer(true), byteLevelPreTokenizer(false, true)]);
  const counts = new Map<string, number>();
  for await (const text of texts) {
    for (const chunk of chunks(text)) {
      for (const [word] of splitter.preTokenizeString(chunk)) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return counts;
}

/** Cuts behind a line end between two visible characters: no word spans it, so the words stay the same. */
function* chunks(text: string): Generator<string> {
  const lineEnd = /\S\n(?=\S)/g;
  let from = 0;
  while (text.length - from > CHUNK) {
    lineEnd.lastIndex = from + CHUNK;
    if (!lineEnd.test(text)) break;
    yield text.slice(from, lineEnd.lastIndex);
    from = lineEnd.lastIndex;
  }
  yield text.slice(from);
}
