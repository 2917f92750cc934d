/**
 * Accuracy on multiple choice from a token table whose sequences are the choices: pure counting, no model.
 *
 * The choice with the largest log-likelihood is taken, the first of several; once as it is, once divided by the
 * choice's length in characters, so that long answers are not at a disadvantage.
 */
import assert from 'node:assert/strict';
import type { Exits } from '../score.js';
import type { TokenTable } from '../token-table.js';

/** What one sequence of the table is. */
export interface ChoiceRow {
  item: number;
  choice: number;
  /** Characters (code points) of the choice as the benchmark gives it, its own white space included. */
  length: number;
}

export interface ChoiceScore {
  accuracy: number;
  /** With log-likelihoods per character. */
  accuracyNormalised: number;
}

/**
 * @param rows entry s describes the table's sequence s
 * @param answers right choice per item
 * @param exits the loop that each token is read out at
 */
export function scoreChoices(
  table: TokenTable,
  rows: readonly ChoiceRow[],
  answers: readonly number[],
  exits: Exits,
): ChoiceScore {
  const likelihood = new Float64Array(rows.length);
  for (let n = 0; n < table.tokens; n++) likelihood[table.sequence[n]!]! += table.logProb[exits[n]! - 1]![n]!;
  const raw = answers.map((): number[] => []);
  const normalised = answers.map((): number[] => []);
  rows.forEach(({ item, choice, length }, s) => {
    raw[item]![choice] = likelihood[s]!;
    normalised[item]![choice] = likelihood[s]! / length;
  });
  const accuracy = (values: number[][]): number =>
    values.filter((choices, item) => indexOfLargest(choices) === answers[item]).length / answers.length;
  return { accuracy: accuracy(raw), accuracyNormalised: accuracy(normalised) };
}

function indexOfLargest(values: readonly number[]): number {
  assert(values.length > 1);
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}
