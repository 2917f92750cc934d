/**
 * A document: the unit of text that every data source yields and that tokenisation consumes. It knows nothing of
 * tokens, packing or files.
 *
 * Invariants: `loss`, where given, is sorted, its ranges do not overlap and lie inside the text. A token counts in the
 * loss when it overlaps a range, so a range leaves out the space in front of its first word: byte-level tokenizers put
 * that space into the token, character-like ones do not, and both label the same words.
 */
import assert from 'node:assert/strict';

/** Half-open range of UTF-16 offsets: `text.slice(start, end)`. */
export type CharRange = readonly [start: number, end: number];

/** One text to train on or to judge by. `loss` says which characters count; by default all do. */
export interface Document {
  readonly text: string;
  /** The characters that count in the loss; undefined means all of them, an empty list none. */
  readonly loss?: readonly CharRange[] | undefined;
  /** Facts for evaluation (difficulty, problem, answer, …); never trained on. */
  readonly meta?: Readonly<Record<string, string | number>> | undefined;
}

/** Documents one after the other, read once. */
export type Documents = Iterable<Document> | AsyncIterable<Document>;

/** What is wrong with the ranges for a text of this many UTF-16 units; undefined when nothing is. */
export function lossFault(ranges: readonly CharRange[], length: number): string | undefined {
  let previousEnd = 0;
  for (const [start, end] of ranges) {
    if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0) return `range [${start}, ${end}] is no range`;
    if (start >= end) return `range [${start}, ${end}] is empty or reversed`;
    if (start < previousEnd) return `range [${start}, ${end}] overlaps or precedes the one before it`;
    if (end > length) return `range [${start}, ${end}] ends behind the text's ${length} characters`;
    previousEnd = end;
  }
  return undefined;
}

/**
 * Builds a document piece by piece and keeps track of what counts in the loss. Words are separated by single spaces,
 * so that each of them can become one token.
 */
export class DocumentBuilder {
  #text = '';
  readonly #loss: Array<[number, number]> = [];

  /** Appends words that do not count in the loss. */
  words(words: string): this {
    this.#append(words);
    return this;
  }

  /** Appends words that count in the loss, as a range of their own. */
  answer(words: string): this {
    const start = this.#append(words);
    this.#loss.push([start, this.#text.length]);
    return this;
  }

  /** `maskPrompt: false` lets everything count. */
  build(meta: Record<string, string | number>, maskPrompt = true): Document {
    assert(this.#text.length > 0);
    return { text: this.#text, loss: maskPrompt ? this.#loss : undefined, meta };
  }

  #append(words: string): number {
    assert(words.length > 0 && words.trim() === words, `words with loose white space: ${JSON.stringify(words)}`);
    const start = this.#text.length + (this.#text === '' ? 0 : 1);
    this.#text = this.#text === '' ? words : `${this.#text} ${words}`;
    return start;
  }
}
