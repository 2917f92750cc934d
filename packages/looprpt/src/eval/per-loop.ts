/** Scores with every token read out at the same loop; the last loop's are the peak. */
import type { LoopScore, Score } from './result.js';
import { exitsAt, scoreAt } from './score.js';
import type { TokenTable } from './token-table.js';

/** K entries, loops from 1. */
export function scorePerLoop(table: TokenTable): LoopScore[] {
  return Array.from({ length: table.loops }, (_, k) => {
    const { accuracy, crossEntropy } = scoreAt(table, exitsAt(table, k + 1));
    return { loop: k + 1, accuracy, crossEntropy };
  });
}

/** Full depth: loop K forced for every token. */
export function peakOf(perLoop: readonly LoopScore[]): Score {
  const { accuracy, crossEntropy } = perLoop.at(-1)!;
  return { accuracy, crossEntropy };
}
