/**
 * What a study is: a table of the bench of experiments, as plain data. Everything that decides a number stands here or in the
 * arms; nothing here computes.
 *
 * A study has one corpus, one model shape and one base recipe. Each seed makes a base of its own and reads the data in an order of its
 * own; all arms of a seed start from its base, see the same batches in the same order, and are judged on the same held-out documents.
 * The settings of an arm are tuned on the tuning split with seeds of their own, then reported on the held-out split.
 */

import { taskConfigSchema } from 'looprpt/internal/data/tasks/index.js';
import { architectureSchema } from 'looprpt/internal/train/run-config.js';
import { scheduleConfigSchema } from 'looprpt/internal/train/schedule.js';
import { z } from 'zod';
import { armSchema, gridSize } from './arm.js';

const positive = z.number().int().positive();
const seeds = z.array(z.number().int().nonnegative());

const batchSchema = z.strictObject({
  rows: positive,
  sequenceLength: positive,
  pack: z.enum(['greedy', 'whole']).default('greedy'),
});

export const TEXTS = ['gsm8k', 'omni-math'] as const;
const textSchema = z.enum(TEXTS);

export const corpusSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('task'),
    task: taskConfigSchema,
    vocabulary: positive
      .default(512)
      .describe('most entries of the tokenizer, which is trained on documents of the task'),
    documents: positive.optional().describe("the arms' finite corpus; default: without end. The base's is without end"),
    heldOut: positive.describe('documents of the held-out split'),
    heldOutFrom: z.number().int().nonnegative().default(0).describe('the first of them'),
    tuning: positive.optional().describe('documents of the tuning split; default: as many as are held out'),
    baseTask: taskConfigSchema
      .optional()
      .describe("the base's own task, where it is another one; what the arms forget of it is measured"),
  }),
  z.strictObject({
    kind: z.literal('text'),
    base: z.array(textSchema).min(1).describe('data sets that base and tokenizer are trained on'),
    training: z.array(textSchema).min(1).describe('data sets that the arms are trained on'),
    heldOut: z.array(textSchema).min(1).describe('data sets whose held-out split judges'),
    vocabulary: positive.describe('entries of the tokenizer'),
    general: z
      .array(textSchema)
      .optional()
      .describe('data sets of the base whose held-out split says what the arms forget; default: it is not measured'),
    heldOutBatches: positive.describe('batches of the held-out split at most, and of the tuning split'),
  }),
]);
export type Corpus = z.output<typeof corpusSchema>;

const recipe = {
  steps: positive,
  batch: batchSchema,
  schedule: scheduleConfigSchema.prefault({}),
  weightDecay: z.number().nonnegative().default(0),
};

const trainedBaseSchema = z.strictObject({
  ...recipe,
  learningRate: z.number().positive(),
  beta: z.number().nonnegative().default(0.1).describe("stage I's β"),
  dtype: z.enum(['float32', 'bfloat16']).optional().describe('of weights and activations; default: float32'),
  perSeed: z
    .boolean()
    .default(true)
    .describe(
      'whether every seed has a base of its own; else all share one, and seeds vary order, noise and exits only',
    ),
  seed: z.number().int().nonnegative().optional().describe("of a base that all share; default: the study's first"),
});

/** A base that ships with the package; all seeds share it, and its tokenizer is the study's. */
const shippedBaseSchema = z.strictObject({ shipped: z.string().describe('a folder of the models that ship') });

export const studySchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]+$/),
    title: z.string(),
    regime: z
      .enum(['a', 'b', 'c', 'd'])
      .describe('a: endless data; b: a finite corpus, several epochs; c: real text; d: a domain new to the base'),
    decides: z
      .enum(['area', 'frontier'])
      .default('area')
      .describe(
        'the number that settings and best baselines are chosen by: the area of the curve, as in the older studies, or of its frontier',
      ),
    claims: z.boolean().default(true).describe("whether the paper's claims are held against its outcome"),
    about: z.string().describe('what a reader should know about base and data'),
    corpus: corpusSchema,
    model: architectureSchema.optional().describe('of a base that is trained'),
    base: z.union([shippedBaseSchema, trainedBaseSchema]),
    training: z.strictObject(recipe),
    arms: z.array(armSchema).min(1),
    tuning: z.strictObject({
      seeds: seeds.min(1).describe('seeds of the tuning runs; none of them is reported'),
      learningRates: z
        .array(z.number().positive())
        .min(1)
        .describe('the grid of an arm that has none of its own (`tunes`)'),
      shares: z
        .array(z.number().positive().max(1))
        .optional()
        .describe('of `blend`, for arms that tune it; default: as many as there are rates, in even steps'),
      trials: positive.describe('settings tried for every arm'),
    }),
    equalCompute: z
      .string()
      .describe(
        'the arm whose training compute, at the steps of the study, every arm may spend in the second half of the table',
      ),
    computeBy: z
      .enum(['flops', 'cpu'])
      .default('flops')
      .describe('what compute is counted in: FLOPs, or CPU seconds as the runs of equal tokens took them'),
    equalTokensOnly: z
      .array(z.string())
      .optional()
      .describe('arms that the second half is without: they are compared for the same tokens alone'),
    confirms: z.array(z.string()).default([]).describe('the studies whose finding this one puts to the test'),
    seeds: seeds.min(1),
  })
  .superRefine((study, context) => {
    const complain = (message: string): void => context.addIssue({ code: 'custom', message });
    if ('shipped' in study.base === (study.model !== undefined))
      complain('model: the shape of a base that is trained; one that ships has its own');
    const names = study.arms.map(({ name }) => name);
    for (const name of names) if (names.indexOf(name) !== names.lastIndexOf(name)) complain(`two arms named ${name}`);
    if (!study.arms.some(({ role }) => role === 'base')) complain('no arm has the role base');
    for (const { name, against } of study.arms)
      if (against !== undefined && (against === name || !names.includes(against)))
        complain(`arm ${name}: against ${against}, which is no other arm`);
    const reference = study.arms.find(({ name }) => name === study.equalCompute);
    if (!reference?.objective) complain(`equalCompute: no trained arm is named ${study.equalCompute}`);
    for (const name of study.equalTokensOnly ?? []) {
      const role = study.arms.find((arm) => arm.name === name)?.role;
      if (role === undefined) complain(`equalTokensOnly: no arm is named ${name}`);
      if (role === 'base' || role === 'baseline') complain(`equalTokensOnly: ${name} is what others are held against`);
      if (name === study.equalCompute) complain(`equalTokensOnly: ${name} is whose compute is equal`);
    }
    for (const seed of study.tuning.seeds) if (study.seeds.includes(seed)) complain(`seed ${seed} tunes and reports`);
    for (const arm of study.arms) {
      const tried = gridSize(arm, study.tuning);
      if (arm.objective && tried !== study.tuning.trials)
        complain(`arm ${arm.name} has ${tried} settings to try, the others ${study.tuning.trials}`);
    }
  });

export type Study = z.output<typeof studySchema>;
export type StudyInput = z.input<typeof studySchema>;

export function study(input: StudyInput): Study {
  return studySchema.parse(input);
}
