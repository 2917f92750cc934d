/**
 * The one layout for a problem with a worked solution, used by the generated stories and by the named data sets, so
 * that what is learnt on one can be evaluated on the other.
 */
import assert from 'node:assert/strict';
import type { Document } from './document.js';

export interface Problem {
  readonly problem: string;
  readonly solution: string;
}

/** The prompt that a model continues with the solution; no space at its end, as the solution's first token has it. */
export function problemPrompt(problem: string): string {
  return `Problem: ${problem}\nSolution:`;
}

/** "Problem: …\nSolution: …"; with `maskPrompt` only the solution counts in the loss. */
export function problemDocument(
  { problem, solution }: Problem,
  maskPrompt: boolean,
  meta: Record<string, string | number>,
): Document {
  assert(solution.length > 0, 'a problem without a solution cannot be trained on');
  const prompt = `${problemPrompt(problem)} `;
  const text = prompt + solution;
  return { text, loss: maskPrompt ? [[prompt.length, text.length]] : undefined, meta };
}
