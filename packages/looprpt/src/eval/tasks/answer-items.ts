/**
 * Problems with one right answer: how each benchmark's record is put to the model, and how its answer is read off.
 * The layout is the one that training documents of such problems have.
 */
import { z } from 'zod';
import { problemPrompt } from '../../data/documents/problem.js';
import { boxedAnswer, lastNumber, markedAnswer } from './answers.js';
import { readRecords } from './read-records.js';
import type { AnswerTask, TaskConfig } from './task-config.js';

export interface AnswerItem {
  prompt: string;
  answer: string;
}

interface SolvedProblem {
  problem: string;
  solution: string;
  answer: string;
}

const gsm8kRecord = z.object({ question: z.string().min(1), answer: z.string() }).transform((record, context) => {
  const answer = markedAnswer(record.answer);
  if (answer === null) {
    context.addIssue({ code: 'custom', path: ['answer'], message: "has no '#### ' with the final answer" });
    return z.NEVER;
  }
  return { problem: record.question, solution: record.answer, answer };
});

const mathRecord = z
  .object({ problem: z.string().min(1), solution: z.string().default(''), answer: z.string().nullish() })
  .transform(({ problem, solution, answer: given }, context) => {
    const answer = given ?? boxedAnswer(solution);
    if (answer === null) {
      context.addIssue({ code: 'custom', path: ['answer'], message: 'is missing, and the solution has no \\boxed{…}' });
      return z.NEVER;
    }
    return { problem, solution, answer };
  });

const solvedOf: Record<AnswerTask, z.ZodType<SolvedProblem>> = {
  gsm8k: gsm8kRecord,
  math: mathRecord,
  omni_math: mathRecord,
};

/** Generation is over when the model begins a problem of its own. */
export const NEXT_PROBLEM = '\nProblem:';

/** The task's items, with the solved examples in front of every prompt. @throws UserError with file, line and key */
export function readAnswerItems(
  task: AnswerTask,
  config: Pick<TaskConfig, 'path' | 'examples' | 'shots' | 'limit'>,
): AnswerItem[] {
  const items = readRecords(config.path, solvedOf[task], config.limit);
  const examples = config.examples === undefined ? [] : readRecords(config.examples, solvedOf[task], config.shots);
  const prefix = examples.map(({ problem, solution }) => `${problemPrompt(problem)} ${solution}\n\n`).join('');
  return items.map(({ problem, answer }) => ({ prompt: prefix + problemPrompt(problem), answer }));
}

/** The answer that a generated text gives; null when it gives none. */
export function answerIn(task: AnswerTask, text: string): string | null {
  const solution = text.split(NEXT_PROBLEM)[0]!;
  const marked = markedAnswer(solution);
  return task === 'gsm8k' ? (marked ?? lastNumber(solution)) : (boxedAnswer(solution) ?? marked);
}
