/** Held-out problems of a generated task as token ids, cut where the model has to answer. */

import { tokenizeDocuments } from 'looprpt/internal/data/shards/token-document.js';
import { documentAt, type TaskConfig } from 'looprpt/internal/data/tasks/index.js';
import type { Tokenizer } from 'looprpt/internal/text/tokenizer.js';

export interface PolicyDocument {
  /** What comes before the first id that counts in the loss. */
  prompt: number[];
  /** All that follows, to the end of the document. */
  rest: number[];
  /** By id of `rest`, whether it counts. */
  counts: boolean[];
}

/** Something to be written freely: the context, and the ids that are right. */
export interface Question {
  prompt: number[];
  answer: number[];
}

/** `count` documents of each seed. */
export async function policyDocuments(
  tokenizer: Tokenizer,
  task: TaskConfig,
  { seeds, count }: { seeds: readonly number[]; count: number },
): Promise<PolicyDocument[]> {
  const texts = seeds.flatMap((seed) => Array.from({ length: count }, (_, i) => documentAt(task, seed, 'heldout', i)));
  return (await tokenizeDocuments(tokenizer, texts)).map(({ ids, loss }) => {
    const counts = Array.from(ids, (_, t) => loss === null || loss[t] === 1);
    const first = Math.max(1, counts.indexOf(true));
    return { prompt: Array.from(ids.slice(0, first)), rest: Array.from(ids.slice(first)), counts: counts.slice(first) };
  });
}

/** One question of each document: its n-th stretch of counted ids, a different n from document to document. */
export function questionsOf(documents: readonly PolicyDocument[]): Question[] {
  return documents.map(({ prompt, rest, counts }, d) => {
    const stretches = stretchesOf(counts);
    const [from, to] = stretches[d % stretches.length]!;
    return { prompt: [...prompt, ...rest.slice(0, from)], answer: rest.slice(from, to) };
  });
}

/** Half-open ranges. */
function stretchesOf(counts: readonly boolean[]): [from: number, to: number][] {
  const starts = [...counts.keys()].filter((t) => counts[t] && !counts[t - 1]);
  return starts.map((from) => {
    const end = counts.indexOf(false, from);
    return [from, end < 0 ? counts.length : end];
  });
}
