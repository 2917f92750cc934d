/** The generated task that models are judged on: its settings, and what to say where a model was trained on others. */
import { type TaskConfig, taskConfigSchema } from '../data/tasks/index.js';
import { modelFolder } from '../train/state/model-folder.js';
import type { Model } from '../train/state/open-model.js';
import { trainedTask } from '../train/state/trained-task.js';
import { type HeldOut, heldOutTask, taskSource } from './data.js';
import { otherSettings, taskSettings } from './task-settings.js';

type Say = (line: string) => void;

/** A generated task with its settings: those that the model was trained on, where the user does not say; what is odd is said. */
export async function withTaskSettings(
  data: HeldOut,
  model: string | Model,
  say: Say,
): Promise<{ known: HeldOut; task: TaskConfig | null }> {
  const asked = heldOutTask(data);
  if (asked === null) {
    const given = typeof data === 'object' && 'kind' in data && data.kind === 'task' ? data.config : undefined;
    // A config that is none is refused where the data are opened.
    const task = taskConfigSchema.safeParse(given).data ?? null;
    await noteOtherSettings(task, model, say);
    return { known: data, task };
  }
  const { config, notes } = taskSettings(asked.task, asked.set ?? {}, await trainedModel(model, say));
  for (const note of notes) say(note);
  return { known: taskSource(config, asked), task: config };
}

/** Says so where `model` was trained on the task with other settings. */
export async function noteOtherSettings(task: TaskConfig | null, model: string | Model, say: Say): Promise<void> {
  const note = task === null ? null : otherSettings(task, await trainedModel(model, say));
  if (note !== null) say(note);
}

async function trainedModel(model: string | Model, say: Say) {
  const [name, folder] =
    typeof model === 'string' ? [model, await modelFolder(model, say)] : [model.name, model.folder];
  return { name, task: trainedTask(folder) };
}
