/**
 * `trained-on.json` of a model's folder: the generated task, with all its settings, that the model was trained on. A task with other
 * settings is another language, so whoever evaluates the model has to know them. Models of text have no such file.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';
import { type TaskConfig, taskConfigSchema } from './mixture.js';

export const TRAINED_ON_FILE = 'trained-on.json';

const trainedOnSchema = z.object({ task: taskConfigSchema });

/** The file's text. */
export function trainedOnText(task: TaskConfig): string {
  return `${JSON.stringify({ task }, null, 2)}\n`;
}

/**
 * The task that the model of `folder` says it was trained on; null where it says none.
 * @throws UserError when the file is damaged
 */
export function readTrainedOn(folder: string): TaskConfig | null {
  const path = join(folder, TRAINED_ON_FILE);
  return existsSync(path) ? taskIn(path, readFileSync(path, 'utf8')) : null;
}

function taskIn(path: string, text: string): TaskConfig {
  const wanted = 'expected {"task": {"task": NAME, …}} with a task of `looprpt data make --list`; mend or delete it';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`${path}: not JSON; ${wanted}`);
  }
  const parsed = trainedOnSchema.safeParse(value);
  if (!parsed.success)
    throw new UserError(`${path}: ${parsed.error.issues[0]!.path.join('.') || 'top level'}: ${wanted}`);
  return parsed.data.task;
}
