/**
 * Which document every held-out sequence is of. Rows of greedily packed batches cut documents; the pieces of one are judged apart and
 * are no independent draws, so intervals are over documents.
 */
import assert from 'node:assert/strict';
import type { PackedBatch } from 'looprpt/internal/data/loader/batch.js';
import type { DocumentSums } from './document-sums.js';

/**
 * By sequence, as a token table numbers them (segments with a counted target, in order), the number of its document from 0.
 * @param endId the id that ends every document and stands nowhere else
 */
export function documentsOfSequences(batches: readonly PackedBatch[], endId: number): number[] {
  const documents: number[] = [];
  let document = 0;
  for (const { B, S, segmentIds, targetIds, lossMask } of batches) {
    let counted = false;
    for (let at = 0; at < B * S; at++) {
      if (segmentIds[at] === -1) continue;
      counted ||= lossMask[at] === 1;
      if ((at + 1) % S !== 0 && segmentIds[at + 1] === segmentIds[at]) continue;
      if (counted) documents.push(document);
      if (targetIds[at] === endId) document++;
      counted = false;
    }
  }
  return denselyNumbered(documents);
}

/** A document none of whose targets counts has no number. */
function denselyNumbered(documents: readonly number[]): number[] {
  const numbers = new Map([...new Set(documents)].map((document, number) => [document, number]));
  return documents.map((document) => numbers.get(document)!);
}

/** Sums by sequence to sums by document. @param documentOf by sequence, dense from 0 */
export function sumsByDocument({ rows, loops, frontier }: DocumentSums, documentOf: readonly number[]): DocumentSums {
  assert.equal(rows[0]!.length, documentOf.length, 'sums of other sequences');
  const documents = Math.max(...documentOf) + 1;
  const byDocument = (row: Float64Array): Float64Array => {
    const sums = new Float64Array(documents);
    row.forEach((value, sequence) => {
      sums[documentOf[sequence]!]! += value;
    });
    return sums;
  };
  return {
    documents,
    loops,
    rows: rows.map(byDocument),
    ...(frontier && { frontier: { budgets: frontier.budgets, credits: frontier.credits.map(byDocument) } }),
  };
}
