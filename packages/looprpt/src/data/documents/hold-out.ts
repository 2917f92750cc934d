/**
 * A held-out part of any documents, by a hash of their text. The same text is always on the same side, so duplicates do not leak; the
 * side depends on nothing else, neither on the order of files nor on the other documents.
 */
import { createHash } from 'node:crypto';
import type { Document, Documents } from './document.js';

export const PARTS = ['train', 'heldout'] as const;
export type Part = (typeof PARTS)[number];

/** @param share of the documents, from 0 to 1 */
export function partOf(text: string, share: number): Part {
  const drawn = createHash('sha256').update('held out\n').update(text).digest().readUIntBE(0, 6) / 2 ** 48;
  return drawn < share ? 'heldout' : 'train';
}

/** The documents of one part, in their order. */
export async function* documentsOf(part: Part, share: number, documents: Documents): AsyncGenerator<Document> {
  for await (const document of documents) if (partOf(document.text, share) === part) yield document;
}
