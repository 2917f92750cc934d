/**
 * What early loops are worth as drafts of exact text (decode/drafts.ts): how often a loop's likeliest token is that of full depth, and
 * how many passes a token takes where the next one starts as soon as that is so.
 */
import type { DraftScore } from './result.js';
import type { TokenTable } from './token-table.js';

/** Loops from 1. */
export function scoreDrafts({ tokens, loops, prediction }: TokenTable): DraftScore {
  const agree = new Array<number>(loops - 1).fill(0);
  let passes = 0;
  const final = prediction[loops - 1]!;
  for (let n = 0; n < tokens; n++) {
    let settled = loops;
    for (let k = loops - 1; k >= 1; k--) {
      const isFinal = prediction[k - 1]![n] === final[n];
      if (isFinal) agree[k - 1]!++;
      // The first of the loops from which on all agree.
      if (isFinal && settled === k + 1) settled = k;
    }
    passes += settled;
  }
  return { acceptance: agree.map((count) => count / tokens), passes: passes / tokens };
}
