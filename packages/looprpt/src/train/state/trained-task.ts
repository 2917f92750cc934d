/** The generated task that a model was trained on: as its folder says, or, of a run of an older version, as the run's configuration does. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type TaskConfig, taskConfigSchema } from '../../data/tasks/index.js';
import { readTrainedOn } from '../../data/tasks/trained-on.js';
import { CONFIG_FILE, parseJson } from './folder.js';
import { isRunFolder } from './model-folder.js';

const runOnTask = z.object({ data: z.object({ task: taskConfigSchema }) });

/** @param folder of the model itself: a checkpoint of a run, not the run */
export function trainedTask(folder: string): TaskConfig | null {
  return readTrainedOn(folder) ?? taskOfRun(join(folder, '..', '..')) ?? taskOfRun(join(folder, '..'));
}

/** From RUN/config.json, where RUN/checkpoints/step-N and RUN/model lie below it. */
function taskOfRun(folder: string): TaskConfig | null {
  const path = join(folder, CONFIG_FILE);
  if (!isRunFolder(folder) || !existsSync(path)) return null;
  const parsed = runOnTask.safeParse(parseJson(readFileSync(path, 'utf8')));
  return parsed.success ? parsed.data.data.task : null;
}
