/**
 * The configuration of a training run: one zod schema, strict, with a default for whatever can have one. The resolved whole
 * is what `--dry-run` prints and what `config.json` in a run folder holds.
 */
import { z } from 'zod';
import { MODEL_DTYPES } from '../base/dtypes.js';
import { taskConfigSchema } from '../data/tasks/index.js';
import { objectiveConfigSchema } from '../objectives/objective.js';
import { adamWConfigSchema } from './adamw.js';
import { distributedConfigSchema } from './distributed/config.js';
import { nonFiniteConfigSchema } from './non-finite.js';
import { scheduleConfigSchema } from './schedule.js';
import { checkpointConfigSchema } from './state/retention.js';

const positive = z.number().int().positive();

/** The dtype that is decided when a run begins. */
export const AUTO_DTYPE = 'auto';

/** The shape of a model trained from scratch. */
export const architectureSchema = z.strictObject({
  hiddenSize: positive.describe('E, width of the residual stream'),
  intermediateSize: positive.describe('F, width of the MLP'),
  layers: positive.describe('L, physical layers'),
  heads: positive.describe('H, query heads'),
  kvHeads: positive.optional().describe('G, key and value heads; default H'),
  headDim: positive.optional().describe('D; default E / H'),
  loops: positive.default(4).describe('K, loops of the stack per token'),
  ropeTheta: z.number().positive().default(10_000).describe('θ, base of the rotary position embedding'),
  initializerRange: z.number().positive().default(0.02).describe('standard deviation of the first weights'),
  tieWordEmbeddings: z.boolean().default(false).describe('whether the LM head is the embedding'),
  vocabSize: positive.optional().describe("V; default: the tokenizer's, rounded up to a multiple of 64"),
});

export const modelConfigSchema = z.union([
  z.strictObject({
    from: z.string().describe('a checkpoint folder or a Hub id; its tokenizer is used'),
  }),
  z.strictObject({
    architecture: architectureSchema,
    tokenizer: z.string().describe('a tokenizer folder'),
  }),
]);

export const dataConfigSchema = z.union([
  z.strictObject({ shards: z.string().describe('a folder made by `looprpt data prepare`') }),
  z.strictObject({
    task: taskConfigSchema.describe('a generated task with its settings'),
    documents: positive.optional().describe('a finite corpus of so many documents; default: without end'),
    taskSeed: z.number().int().nonnegative().default(0).describe('which documents of the split'),
    split: z.enum(['train', 'heldout', 'tune']).default('train').describe('no problem is in two splits'),
  }),
  z.strictObject({
    given: z.string().min(1).describe('documents that a program gives to `train`, by a name for them'),
  }),
]);

const memoryConfigSchema = z
  .strictObject({
    recomputeLoops: z
      .boolean()
      .optional()
      .describe(
        'keep only the states between loops for the backward pass, which runs each loop again: a third more work, about 1/K of the memory; for long sequences (default: false)',
      ),
    checkpointLoops: z.boolean().optional().describe('the name of recomputeLoops in earlier versions'),
  })
  .refine(({ recomputeLoops, checkpointLoops }) => recomputeLoops === undefined || checkpointLoops === undefined, {
    error: 'give recomputeLoops alone; checkpointLoops is its earlier name',
  })
  .transform(({ recomputeLoops, checkpointLoops }) => ({ recomputeLoops: recomputeLoops ?? checkpointLoops ?? false }));

export const runConfigSchema = z.strictObject({
  model: modelConfigSchema,
  data: dataConfigSchema,
  objective: objectiveConfigSchema,
  out: z.string().describe('the run folder'),
  steps: positive.describe('optimizer steps'),
  epochs: positive
    .nullable()
    .default(null)
    .describe('passes over a finite corpus at most; null: as many as the steps need'),
  batch: z
    .strictObject({
      rows: positive.default(16).describe('rows of a micro-batch, of all processes together'),
      sequenceLength: positive.default(128).describe('tokens of a row'),
      accumulate: positive.default(1).describe('micro-batches of a step'),
      pack: z.enum(['greedy', 'whole']).default('greedy').describe('whether documents are cut at the end of a row'),
    })
    .prefault({}),
  memory: memoryConfigSchema.prefault({}),
  optimizer: adamWConfigSchema.prefault({}),
  schedule: scheduleConfigSchema.prefault({}),
  teacherDecay: z.number().min(0).max(1).default(0.995).describe('φ of the EMA teacher; 0: the student is its own'),
  blend: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe(
      'weight interpolation: how far from the start (0) to the last weights (1) the model of the run lies; below 1 it is written to RUN/model at the end; `looprpt blend` chooses it on tuning text',
    ),
  checkpoint: checkpointConfigSchema.prefault({}),
  nonFinite: nonFiniteConfigSchema.prefault({}),
  distributed: distributedConfigSchema.prefault({}),
  tensorboard: z.boolean().default(true).describe('write TensorBoard event files too'),
  dtype: z
    .enum([...MODEL_DTYPES, AUTO_DTYPE])
    .default(AUTO_DTYPE)
    // What `auto` becomes is decided where a run is resolved (resolve.ts); a configuration by itself has float32.
    .transform((dtype) => (dtype === AUTO_DTYPE ? 'float32' : dtype))
    .describe(
      'of weights and activations; auto: bfloat16 where the processor has it and a few measured steps say that it pays, else float32; a run stores what it became',
    ),
  device: z.string().default('cpu').describe('cpu, cuda or cuda:N'),
  threads: positive.default(2).describe('CPU threads; a resumed run is bit-identical only with the same number'),
  seed: z
    .number()
    .int()
    .nonnegative()
    .max(2 ** 50)
    .default(0)
    .describe('of weights, data order, noise and sampled exits'),
});
/** The resolved configuration of a run: every key is there. */
export type RunConfig = z.output<typeof runConfigSchema>;
/** A configuration as one writes it: what has a default may be left out. docs/reference/config.md has every key. */
export type RunConfigInput = z.input<typeof runConfigSchema>;
