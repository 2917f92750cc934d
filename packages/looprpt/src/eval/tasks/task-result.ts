/** What `eval --tasks --json` says: shapes only. Loops are counted from 1; accuracies are fractions of the items. */
import { z } from 'zod';
import { ANSWER_TASKS, CHOICE_TASKS } from './task-config.js';

const share = z.number().min(0).max(1);
const choiceScore = z.object({ accuracy: share, accuracyNormalised: share });
const exits = { tau: z.number(), meanLoops: z.number() };

export const ChoiceResultSchema = z.object({
  kind: z.literal('choice'),
  task: z.enum(CHOICE_TASKS),
  path: z.string(),
  items: z.int(),
  shots: z.int(),
  perLoop: z.array(choiceScore.extend({ loop: z.int() })),
  /** Every token of a choice stops by the gate; loops are those of the tokens scored. */
  adaptive: z.array(choiceScore.extend({ ...exits, exitShare: z.array(share) })),
});

/** `accuracy` is the headline, flexible match: the answer wherever it stands, by its value. Strict is where and as the benchmark asks. */
const answerScore = z.object({ accuracy: share, accuracyStrict: share, meanTokens: z.number() });

export const AnswerResultSchema = z.object({
  kind: z.literal('answer'),
  task: z.enum(ANSWER_TASKS),
  path: z.string(),
  headline: z.literal('flexible'),
  items: z.int(),
  shots: z.int(),
  perLoop: z.array(answerScore.extend({ loop: z.int() })),
  adaptive: z.array(answerScore.extend(exits)),
});

export const TasksResultSchema = z.object({
  model: z.string(),
  loops: z.int(),
  tasks: z.array(z.discriminatedUnion('kind', [ChoiceResultSchema, AnswerResultSchema])),
  seconds: z.number(),
});

export type ChoiceResult = z.infer<typeof ChoiceResultSchema>;
export type AnswerResult = z.infer<typeof AnswerResultSchema>;
/** Scores on downstream tasks, as `eval --tasks --json` prints them; accuracies are fractions. */
export type TasksResult = z.infer<typeof TasksResultSchema>;
