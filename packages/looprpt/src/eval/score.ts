/** Scores of a table when every token is read out at a loop of its own. Loops are counted from 1. */
import assert from 'node:assert/strict';
import type { Score } from './result.js';
import type { TokenTable } from './token-table.js';

/** Per token the loop it is read out at, 1..K. */
export type Exits = Uint8Array;

export interface ExitScore extends Score {
  meanLoops: number;
  /** K shares of the tokens, by exit loop. */
  exitShare: number[];
}

/** Every token at the same loop. */
export function exitsAt(table: TokenTable, loop: number): Exits {
  assert(Number.isInteger(loop) && loop >= 1 && loop <= Math.min(table.loops, 255), `loop ${loop} of ${table.loops}`);
  return new Uint8Array(table.tokens).fill(loop);
}

/** Accuracy, cross-entropy (nats) and exits; the table has tokens. */
export function scoreAt(table: TokenTable, exits: Exits): ExitScore {
  const { tokens: N, loops: K, correct, logProb } = table;
  assert(N > 0 && exits.length === N);
  const counts = new Array<number>(K).fill(0);
  let right = 0;
  let loss = 0;
  for (let n = 0; n < N; n++) {
    const k = exits[n]! - 1;
    counts[k]!++;
    right += correct[k]![n]!;
    loss -= logProb[k]![n]!;
  }
  return {
    accuracy: right / N,
    crossEntropy: loss / N,
    meanLoops: counts.reduce((sum, count, k) => sum + count * (k + 1), 0) / N,
    exitShare: counts.map((count) => count / N),
  };
}
