/** Several downstream tasks on one model, in turn. */
import type { LoopLM } from '../../model/loop-lm.js';
import type { Tokenizer } from '../../text/tokenizer.js';
import { runAnswers } from './run-answers.js';
import { runChoices } from './run-choices.js';
import { isChoiceTask, type Task, type TaskConfig } from './task-config.js';
import type { TasksResult } from './task-result.js';

export interface RunTasksOptions {
  /** The name in the result. */
  name: string;
  onProgress?: (task: Task, done: number, total: number) => void;
}

/** @throws UserError when a file is missing or a record is not what its task needs */
export async function runTasks(
  model: LoopLM,
  tokenizer: Tokenizer,
  configs: readonly TaskConfig[],
  { name, onProgress }: RunTasksOptions,
): Promise<TasksResult> {
  const started = performance.now();
  const tasks: TasksResult['tasks'] = [];
  for (const config of configs) {
    const { task } = config;
    const progress = (done: number, total: number): void => onProgress?.(task, done, total);
    tasks.push(
      isChoiceTask(task)
        ? await runChoices(model, tokenizer, { ...config, task }, progress)
        : await runAnswers(model, tokenizer, { ...config, task }, progress),
    );
  }
  return { model: name, loops: model.config.loops, tasks, seconds: (performance.now() - started) / 1000 };
}
