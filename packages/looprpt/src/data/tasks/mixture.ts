/**
 * Which tasks there are, and a mixture of them. A document's task is drawn by the weights from the document's own
 * random stream, so a mixture is as deterministic and as random-access as its parts, and its splits are theirs.
 */
import { z } from 'zod';
import type { Rng } from '../../base/rng.js';
import type { Document } from '../documents/document.js';
import { arithmetic, arithmeticConfigSchema } from './arithmetic.js';
import { hop, hopConfigSchema } from './hop.js';
import { mano, manoConfigSchema } from './mano.js';
import type { Belongs } from './split.js';
import { stories, storiesConfigSchema } from './stories.js';

export const singleTaskConfigSchema = z.discriminatedUnion('task', [
  hopConfigSchema,
  manoConfigSchema,
  arithmeticConfigSchema,
  storiesConfigSchema,
]);

export const mixtureConfigSchema = z.strictObject({
  task: z.literal('mixture'),
  parts: z
    .array(
      z.strictObject({
        weight: z.number().positive().default(1).describe('share of the documents, relative to the other parts'),
        config: singleTaskConfigSchema.describe('a task with its settings'),
      }),
    )
    .min(1)
    .default([
      { weight: 1, config: hopConfigSchema.parse({ task: 'hop' }) },
      { weight: 1, config: manoConfigSchema.parse({ task: 'mano' }) },
      { weight: 1, config: arithmeticConfigSchema.parse({ task: 'arithmetic' }) },
      { weight: 1, config: storiesConfigSchema.parse({ task: 'stories' }) },
    ])
    .describe('the tasks mixed; by default all of them alike'),
});

export const taskConfigSchema = z.discriminatedUnion('task', [...singleTaskConfigSchema.options, mixtureConfigSchema]);

/** The settings of a generated task, discriminated by `task`. */
export type TaskConfig = z.output<typeof taskConfigSchema>;

/** One document of the task, every problem in it satisfying `belongs`. */
export function generate(rng: Rng, config: TaskConfig, belongs: Belongs): Document {
  switch (config.task) {
    case 'hop':
      return hop.generate(rng, config, belongs);
    case 'mano':
      return mano.generate(rng, config, belongs);
    case 'arithmetic':
      return arithmetic.generate(rng, config, belongs);
    case 'stories':
      return stories.generate(rng, config, belongs);
    case 'mixture': {
      const part = config.parts[rng.weighted(config.parts.map(({ weight }) => weight))]!;
      return generate(rng, part.config, belongs);
    }
    default:
      return config satisfies never;
  }
}

/** Name, one line of description and settings of every task, in the order of a listing. */
export const taskList: ReadonlyArray<{
  readonly name: TaskConfig['task'];
  readonly describe: string;
  readonly configSchema: z.ZodObject;
}> = [
  { name: 'hop', describe: hop.describe, configSchema: hopConfigSchema },
  { name: 'mano', describe: mano.describe, configSchema: manoConfigSchema },
  { name: 'arithmetic', describe: arithmetic.describe, configSchema: arithmeticConfigSchema },
  { name: 'stories', describe: stories.describe, configSchema: storiesConfigSchema },
  { name: 'mixture', describe: 'several tasks mixed by weight', configSchema: mixtureConfigSchema },
];
