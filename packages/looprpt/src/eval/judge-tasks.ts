/** A model judged on downstream tasks: multiple choice by log-likelihood, answers by what it generates. */
import type { z } from 'zod';
import { explainConfigError } from '../base/settings/config-error.js';
import { UserError } from '../base/user-error.js';
import { type Model, type OpenOptions, openModel } from '../train/state/open-model.js';
import { runTasks } from './tasks/run-tasks.js';
import { type Task, taskConfig } from './tasks/task-config.js';
import type { TasksResult } from './tasks/task-result.js';

/** How `judgeTasks` judges: the tasks, and how the model is opened. */
export interface JudgeTasksOptions extends OpenOptions {
  /** Which tasks, each with the JSONL file of its items. */
  tasks: readonly z.input<typeof taskConfig>[];
  /** Told after every batch how many items of a task are done. */
  onProgress?: (task: Task, done: number, total: number) => void;
}

/**
 * Judges a model on downstream tasks, at every loop and at exit thresholds. What `looprpt eval --tasks` prints.
 * @param model an open model, or the name of one as `loadModel` takes it
 * @returns accuracies as fractions, by task
 * @throws UserError when the model or a file cannot be read, or a record is not what its task needs
 * @example
 * const { tasks } = await judgeTasks('runs/rpt', { tasks: [{ task: 'gsm8k', path: 'gsm8k/test.jsonl', limit: 100 }] });
 */
export async function judgeTasks(model: string | Model, options: JudgeTasksOptions): Promise<TasksResult> {
  const configs = options.tasks.map((given) => {
    const checked = taskConfig.safeParse(given);
    if (checked.success) return checked.data;
    throw new UserError(`tasks: ${explainConfigError(taskConfig, given, checked.error)}`);
  });
  if (typeof model === 'string') {
    using opened = await openModel(model, options);
    return await runTasks(opened.lm, opened.tokenizer, configs, { ...options, name: model });
  }
  return runTasks(model.lm, model.tokenizer, configs, { ...options, name: model.name });
}
