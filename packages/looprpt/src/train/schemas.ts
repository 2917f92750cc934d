/** The configurations of this package as zod schemas, for a program that checks or describes them before it uses them. */
import type { z } from 'zod';
import { documentSourceSchema } from '../data/documents/source.js';
import { type TaskConfig, taskConfigSchema } from '../data/tasks/index.js';
import { type ObjectiveConfig, objectiveConfigSchema } from '../objectives/objective.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from './run-config.js';

/** The schemas by what they describe. Strict: an unknown key is an error. What has a default may be left out. `z.toJSONSchema` describes them. */
export interface Schemas {
  /** A training run: what a recipe holds, without `preset`. */
  readonly run: z.ZodType<RunConfig, RunConfigInput>;
  /** What is trained for. */
  readonly objective: z.ZodType<ObjectiveConfig, z.input<typeof objectiveConfigSchema>>;
  /** A generated task. */
  readonly task: z.ZodType<TaskConfig, z.input<typeof taskConfigSchema>>;
  /** Where documents come from: files, a data set known by name, a generated task, or several of these. */
  readonly documents: z.ZodType<z.output<typeof documentSourceSchema>, z.input<typeof documentSourceSchema>>;
}

/**
 * The configurations as zod schemas.
 * @example schemas.run.safeParse({ model: { from: 'hop-base' }, steps: 10 }).error
 */
export const schemas: Schemas = {
  run: runConfigSchema,
  objective: objectiveConfigSchema,
  task: taskConfigSchema,
  documents: documentSourceSchema,
};
