/** The generated reasoning tasks, as a program uses them. */
import type { Document } from '../documents/document.js';
import { generatedDocuments, listTasks, type TaskConfig, type TaskSummary, taskConfig } from './index.js';
import type { Split } from './split.js';

/** Which documents of a task. */
export interface TaskDocuments {
  /** A whole number from 0; another one gives other documents of the same splits. Default 0. */
  seed?: number;
  /** No problem is in two splits, whatever the seeds. Default `train`. */
  split?: Split;
  /** The first one's index; default 0. */
  from?: number;
  /** How many; default without end. */
  count?: number;
}

/**
 * Generated reasoning tasks: text without end in which depth matters and easy and hard tokens mix, deterministic in the seed.
 * @example
 * const hop = tasks.config('hop', { hops: 4 });
 * await train({ model: { from: 'hop-base' }, data: { task: hop }, preset: 'fast', out: 'runs/hop', steps: 300 });
 */
export const tasks = {
  /** Which tasks there are, with every setting, its meaning and its default. */
  list: (): TaskSummary[] => listTasks(),
  /** Settings of a task, checked, with defaults filled in. @throws UserError naming the setting */
  config: (name: TaskConfig['task'], settings: Readonly<Record<string, unknown>> = {}): TaskConfig =>
    taskConfig(name, settings),
  /** Documents of a task, made as they are read. @throws UserError when the settings allow so few problems that a split has none */
  documents: (config: TaskConfig, options: TaskDocuments = {}): Generator<Document, void, undefined> => {
    const { seed = 0, split = 'train', ...range } = options;
    return generatedDocuments(config, { seed, split, ...range });
  },
} as const;
