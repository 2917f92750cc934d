/**
 * Records of multiple-choice benchmarks in the forms in which they are published (the authors' JSONL, the Hub's data sets), and in a
 * plain one with the choices as texts and the right one's index. All become the plain form; prompts are made elsewhere.
 */
import { z } from 'zod';
import { bySchema, type Meaning } from './read-records.js';

export const LETTERS = 'ABCDEFGHIJ';

interface Choices {
  choices: string[];
  /** Index of the right one. */
  answer: number;
}

export type Question = Choices & { question: string };
export type SubjectQuestion = Question & { subject: string };
export type Continued = Choices & { query: string };
export interface Blank {
  sentence: string;
  option1: string;
  option2: string;
  answer: 1 | 2;
}

const UNPUBLISHED = 'names no choice (the answers of test splits are not published; take the validation split)';

/** A whole number as JSON, as a text of digits, or as Parquet has it. */
const whole = z.union(
  [z.int(), z.bigint().transform(Number), z.string().regex(/^\d+$/).transform(Number)],
  UNPUBLISHED,
);
const choices = z.array(z.string().min(1)).min(2).max(LETTERS.length);
const inRange = ({ choices: all, answer }: Choices): boolean => answer >= 0 && answer < all.length;
const noChoice = { path: ['answer'], message: 'no choice has this index (the first is 0)' };
const plain = { choices, answer: whole };

/** ARC: the Hub lists texts and labels side by side, the authors' file has the choices within the question. */
export const arcRecord: Meaning<Question> = byKey('question, choices and answerKey', {
  answerKey: z
    .object({
      question: z.union([z.string(), z.object({ stem: z.string(), choices: z.array(labelled()).min(2) })]),
      choices: z.object({ text: choices, label: z.array(z.string()) }).optional(),
      answerKey: z.string(),
    })
    .transform(({ question, choices: beside, answerKey }, context) => {
      const within = typeof question === 'string' ? null : question;
      const texts = within?.choices.map(({ text }) => text) ?? beside?.text ?? [];
      const labels = within?.choices.map(({ label }) => label) ?? beside?.label ?? [];
      const answer = labels.indexOf(answerKey);
      if (texts.length !== labels.length || texts.length < 2)
        return fail(context, 'choices', 'as many texts as labels are needed');
      if (answer < 0) return fail(context, 'answerKey', UNPUBLISHED);
      return { question: within?.stem ?? (question as string), choices: texts, answer };
    }),
  otherwise: z.object({ ...plain, question: z.string() }).refine(inRange, noChoice),
});

function labelled() {
  return z.object({ text: z.string().min(1), label: z.string() });
}

/** HellaSwag: the activity, a context whose last sentence breaks off, and four ends; brackets of WikiHow's layout are taken out. */
export const hellaswagRecord: Meaning<Continued> = byKey('activity_label, ctx_a, ctx_b, endings and label', {
  endings: z
    .object({ activity_label: z.string(), ctx_a: z.string(), ctx_b: z.string(), endings: choices, label: whole })
    .transform(({ activity_label: activity, ctx_a: before, ctx_b: begun, endings, label }, context) => {
      if (label >= endings.length) return fail(context, 'label', 'no ending has this index (the first is 0)');
      const begins = begun.charAt(0).toUpperCase() + begun.slice(1).toLowerCase();
      return { query: cleaned(`${activity}: ${before} ${begins}`), choices: endings.map(cleaned), answer: label };
    }),
  otherwise: z.object({ ...plain, query: z.string() }).refine(inRange, noChoice),
});

function cleaned(text: string): string {
  return text
    .trim()
    .replaceAll(' [title]', '. ')
    .replaceAll(/\[.*?\]/g, '')
    .replaceAll('  ', ' ');
}

/** MMLU: the answer as a letter or as an index. */
const letterOrIndex = z.union(
  [
    z.int(),
    z.bigint().transform(Number),
    z
      .string()
      .regex(/^[A-J]$/)
      .transform((name) => LETTERS.indexOf(name)),
  ],
  'must be the letter of a choice, or its index from 0',
);

export const mmluRecord: Meaning<SubjectQuestion> = bySchema(
  z.object({ choices, answer: letterOrIndex, question: z.string(), subject: z.string() }).refine(inRange, noChoice),
  'question, subject, choices and answer',
);

/** WinoGrande: the answer as a number or as a text. */
export const winograndeRecord: Meaning<Blank> = bySchema(
  z.object({
    sentence: z.string().regex(/^[^_]*_[^_]*\S[^_]*$/, 'must have one blank _ with text after it'),
    option1: z.string().min(1),
    option2: z.string().min(1),
    answer: whole.pipe(z.union([z.literal(1), z.literal(2)], UNPUBLISHED)),
  }),
  'sentence, option1, option2 and answer',
);

/** The published form is known by a key that the plain one does not have. */
function byKey<T>(
  form: string,
  { otherwise, ...published }: { otherwise: z.ZodType<T> } & Record<string, z.ZodType<T>>,
): Meaning<T> {
  const [key, schema] = Object.entries(published)[0]!;
  const [asPublished, asPlain] = [bySchema(schema, form), bySchema(otherwise, form)];
  return (record) =>
    typeof record === 'object' && record !== null && key in record ? asPublished(record) : asPlain(record);
}

function fail(context: z.RefinementCtx, key: string, message: string): never {
  context.addIssue({ code: 'custom', path: [key], message });
  return z.NEVER;
}
