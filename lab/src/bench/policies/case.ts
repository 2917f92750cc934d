/** A base model and the generated task that it was trained on. */
import { readFileSync } from 'node:fs';
import { UserError } from 'looprpt/internal/base/user-error.js';
import { loadModel } from 'looprpt/internal/checkpoint/load-model.js';
import { type TaskConfig, taskConfigSchema } from 'looprpt/internal/data/tasks/index.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { Tokenizer } from 'looprpt/internal/text/tokenizer.js';
import { modelFolder } from 'looprpt/internal/train/state/model-folder.js';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';

export interface BaseCase {
  /** A model folder or a run folder. */
  model: string;
  /** The recipe that made it, which says the task. */
  recipe: string;
}

const recipeSchema = z.object({ data: z.object({ task: taskConfigSchema }) });

/** @throws UserError where the recipe has no generated task */
export async function openCase({ model, recipe }: BaseCase): Promise<{
  model: LoopLM;
  tokenizer: Tokenizer;
  task: TaskConfig;
}> {
  const parsed = recipeSchema.safeParse(parseYaml(readFileSync(recipe, 'utf8')));
  if (!parsed.success) throw new UserError(`${recipe}: data.task: the recipe of a base on a generated task is needed`);
  const folder = await modelFolder(model, (line) => void process.stderr.write(`${line}\n`));
  return { model: loadModel(folder), tokenizer: await Tokenizer.load(folder), task: parsed.data.data.task };
}
