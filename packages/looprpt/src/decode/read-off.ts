/**
 * Which rows of a pass are read off, and what for: tokens to be chosen, by an exit or as a draft, and prompts to be scored. The
 * arithmetic is token-choice.ts'; what becomes of the choices is verdicts.ts'.
 *
 * Shapes: M rows that are read, V vocabulary.
 */
import type { Tensor } from '@looprpt/engine';
import type { Exit } from './exits.js';
import type { PassRow } from './scheduler.js';
import type { Sequence } from './sequence.js';
import { type Choice, chooseTokens, readTokens } from './token-choice.js';
import { isRead } from './verdicts.js';

type Rows = readonly PassRow<Sequence>[];

/** The logits of some rows, [M, V]. */
type LogitsOf = (rows: readonly number[]) => Tensor;

/**
 * Rows of a pass with those first whose state after it anything looks at: the token's next loop, or who reads it off. Of a token of a
 * prompt that is not scored, and of one that owed its last loop, keys and values are all that is wanted in the end.
 */
export function wantedFirst(rows: Rows): { rows: Rows; wanted: number } {
  const wanted = rows.filter(isWanted);
  if (wanted.length === rows.length) return { rows, wanted: rows.length };
  return { rows: [...wanted, ...rows.filter((row) => !isWanted(row))], wanted: wanted.length };
}

function isWanted({ job, loop, isPrompt, isOwed }: PassRow<Sequence>): boolean {
  if (loop + 1 < job.size.loops) return true;
  return isPrompt ? job.scoresPrompt : !isOwed || job.drafts !== null;
}

/** By row what was read off it, of rows that leave or whose drafts ask. */
export function choicesOf(rows: Rows, exits: readonly Exit[], logitsOf: LogitsOf): Map<number, Choice> {
  const read = [...rows.keys()].filter((n) => isRead(rows[n]!, exits[n]!));
  if (read.length === 0) return new Map();
  const readRows = read.map((n) => {
    const { job, position, loop } = rows[n]!;
    const top = exits[n]!.exits ? (job.request.topLogProbs ?? 0) : 0;
    return { sequence: job, place: position + 1, loop: loop + 1, top };
  });
  const choices = chooseTokens(readRows, logitsOf(read));
  return new Map(read.map((n, m) => [n, choices[m]!]));
}

/** Scores the tokens that follow prompt tokens which leave, where that is wanted; within a prompt they leave in any order. */
export function scorePrompts(rows: Rows, exits: readonly Exit[], logitsOf: LogitsOf): void {
  const read = [...rows.keys()].filter((n) => exits[n]!.exits && rows[n]!.isPrompt && rows[n]!.job.scoresPrompt);
  if (read.length === 0) return;
  const wanted = read.map((n) => {
    const { job, position, loop } = rows[n]!;
    return { id: job.ids[position + 1]!, loop: loop + 1, top: job.request.promptLogProbs! };
  });
  const tokens = readTokens(wanted, logitsOf(read));
  for (const [m, n] of read.entries()) rows[n]!.job.readPrompt(rows[n]!.position + 1, tokens[m]!);
}
