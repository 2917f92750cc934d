/**
 * Which downstream tasks there are and how one is asked for. Items always come from the user's own files.
 *
 * `choice` tasks compare the log-likelihoods of given answers; `answer` tasks generate a solution and compare its answer.
 */
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';

export const CHOICE_TASKS = ['arc_challenge', 'hellaswag', 'winogrande', 'mmlu'] as const;
export const ANSWER_TASKS = ['gsm8k', 'math', 'omni_math'] as const;
export type ChoiceTask = (typeof CHOICE_TASKS)[number];
export type AnswerTask = (typeof ANSWER_TASKS)[number];
export type Task = ChoiceTask | AnswerTask;

export const taskConfig = z.strictObject({
  task: z.enum([...CHOICE_TASKS, ...ANSWER_TASKS]),
  path: z.string().describe('file with the items: JSONL, a JSON array or Parquet'),
  examples: z
    .string()
    .optional()
    .describe('file of the same form with solved items for the prompt; for mmlu those of the same subject are used'),
  shots: z.int().min(0).default(5).describe('solved items in each prompt, where there is a file of examples'),
  limit: z.int().min(1).optional().describe('only the first items'),
  taus: z.array(z.number()).default([0.5, 0.9, 1]).describe('thresholds of the exit CDF'),
  loops: z.array(z.int().min(1)).optional().describe('fixed loops of an answer task, each a generation; default all'),
  maxTokens: z.int().min(1).default(512).describe('tokens of a generated solution, at most'),
  batchSize: z.int().min(1).default(8).describe('rows generated together'),
  batchTokens: z.int().min(1).default(4096).describe('tokens of a batch of answers to compare, at most'),
});

export type TaskConfig = z.output<typeof taskConfig>;

export function isChoiceTask(task: Task): task is ChoiceTask {
  return (CHOICE_TASKS as readonly string[]).includes(task);
}

/**
 * Reads `--tasks`: `NAME=PATH`, separated by commas; `NAME.examples=PATH` gives the file of solved items.
 * @throws UserError naming the entry at fault
 * @example parseTaskList('gsm8k=test.jsonl,mmlu=mmlu_test.jsonl,mmlu.examples=mmlu_dev.jsonl')
 */
export function parseTaskList(list: string): { task: Task; path: string; examples?: string }[] {
  const files = new Map<Task, { path?: string; examples?: string }>();
  for (const entry of list.split(',').map((part) => part.trim())) {
    const [, name, examples, path] = /^([^.=]+)(\.examples)?=(.+)$/.exec(entry) ?? [];
    const task = taskConfig.shape.task.safeParse(name);
    if (path === undefined) throw new UserError(`tasks: '${entry}' is not NAME=PATH, such as gsm8k=gsm8k/test.jsonl`);
    if (!task.success) {
      const known = [...CHOICE_TASKS, ...ANSWER_TASKS].join(', ');
      throw new UserError(`tasks: there is no task '${name}'; there are ${known}`);
    }
    files.set(task.data, { ...files.get(task.data), [examples ? 'examples' : 'path']: path });
  }
  return Array.from(files, ([task, { path, examples }]) => {
    if (path === undefined) throw new UserError(`tasks: ${task}.examples is given without ${task}=PATH`);
    return { task, path, ...(examples === undefined ? {} : { examples }) };
  });
}
