/**
 * Problems with one right answer: how each benchmark's record is put to the model, and how its answer is read off.
 * The layout is the one that training documents of such problems have.
 */
import { boxedAnswer, markedAnswer } from '../../data/documents/final-answer.js';
import { type DatasetName, type NamedProblem, namedProblem } from '../../data/documents/named-records.js';
import { problemPrompt } from '../../data/documents/problem.js';
import { sameAnswer, sameWriting } from './answers.js';
import { lastNumber, leadingNumber } from './numbers.js';
import { type Meaning, readItems } from './read-records.js';
import type { AnswerTask, TaskConfig } from './task-config.js';

export interface AnswerItem {
  prompt: string;
  answer: string;
}

const DATASET: Record<AnswerTask, DatasetName> = { gsm8k: 'gsm8k', math: 'math', omni_math: 'omni-math' };

const problemOf =
  (task: AnswerTask): Meaning<NamedProblem> =>
  (record) =>
    namedProblem(DATASET[task], record, { calculator: 'keep' });

/** A solved example needs its solution. */
const exampleOf =
  (task: AnswerTask): Meaning<NamedProblem> =>
  (record) => {
    const found = problemOf(task)(record);
    if ('value' in found && found.value.solution === null) return { fault: "field 'solution': is missing" };
    return found;
  };

/** Generation is over when the model begins a problem of its own. */
export const NEXT_PROBLEM = '\nProblem:';

/** The task's items, with the solved examples in front of every prompt. @throws UserError with file, line and key */
export async function readAnswerItems(
  task: AnswerTask,
  config: Pick<TaskConfig, 'path' | 'examples' | 'shots' | 'limit'>,
): Promise<AnswerItem[]> {
  const items = await readItems(config.path, problemOf(task), config.limit);
  const examples = config.examples === undefined ? [] : await readItems(config.examples, exampleOf(task), config.shots);
  const prefix = examples.map(({ problem, solution }) => `${problemPrompt(problem)} ${solution}\n\n`).join('');
  return items.map(({ problem, answer }) => ({ prompt: prefix + problemPrompt(problem), answer }));
}

/**
 * Whether a generated text has the right answer. `strict`: where the benchmark wants it, as GSM8K's and MATH's own scorers read it
 * (behind `####`; in the last box), and equal as they compare. `flexible`: wherever it stands, and by its value.
 */
export function judgeAnswer(task: AnswerTask, text: string, answer: string): { strict: boolean; flexible: boolean } {
  const [asked, found] = [strictAnswerIn(task, text), answerIn(task, text)];
  const strict = asked !== null && sameWriting(asked, answer);
  return { strict, flexible: strict || (found !== null && sameAnswer(found, answer)) };
}

/** The answer where the benchmark asks for it; null where none stands there. */
export function strictAnswerIn(task: AnswerTask, text: string): string | null {
  const solution = text.split(NEXT_PROBLEM)[0]!;
  return task === 'gsm8k' ? (/#### (-?[0-9.,]+)/.exec(solution)?.[1] ?? null) : boxedAnswer(solution);
}

/** The answer that a generated text gives, wherever it stands; null when it gives none. */
export function answerIn(task: AnswerTask, text: string): string | null {
  const solution = text.split(NEXT_PROBLEM)[0]!;
  const [marked, boxed] = [markedAnswer(solution), boxedAnswer(solution)];
  if (task !== 'gsm8k') return boxed ?? saidAnswer(solution) ?? marked;
  const asked = marked ?? boxed;
  const number = asked === null ? null : (leadingNumber(asked) ?? lastNumber(asked));
  return number ?? lastNumber(solution);
}

/** `The final answer is $5$.`; the last of several. */
function saidAnswer(text: string): string | null {
  const said = [...text.matchAll(/\banswer is:?[ \t]*(?:\$([^$\n]+)\$|([^$\n]+?)(?:[.!]\s|[.!]?$))/gim)].at(-1);
  return (said?.[1] ?? said?.[2])?.trim() || null;
}
