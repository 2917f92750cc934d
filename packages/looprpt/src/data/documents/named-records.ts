/**
 * What the records of each data set known by name mean: problem, worked solution, final answer, and facts worth
 * keeping; for training and for evaluation alike. Where the files are is another matter (`named.ts`).
 */
import { z } from 'zod';
import { boxedAnswer, markedAnswer } from './final-answer.js';

export interface NamedProblem {
  readonly problem: string;
  /** Null where the record has none, which is enough to be evaluated on. */
  readonly solution: string | null;
  /** The final answer as the data set gives it, white space and (GSM8K) thousands separators removed. */
  readonly answer: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

export type DatasetName = 'gsm8k' | 'omni-math' | 'math';

export interface ReadingOptions {
  /** GSM8K's `<<48/2=24>>` behind each calculation. */
  readonly calculator: 'remove' | 'keep';
}

const gsm8kSchema = z.object({
  question: z.string().min(1),
  answer: z.string().regex(/####\s*\S/, "has no final answer behind '####'"),
});

const omniMathSchema = z.object({
  problem: z.string().min(1),
  solution: z.string().nullish(),
  answer: z.string().nullish(),
  difficulty: z.number().optional(),
  domain: z.array(z.string()).optional(),
  source: z.string().optional(),
});

/** The data set whose records have such fields; null: none that is known. Omni-MATH's are MATH's with a domain. */
export function datasetLike(fields: readonly string[]): DatasetName | null {
  const has = (...names: string[]): boolean => names.every((name) => fields.includes(name));
  if (has('question', 'answer')) return 'gsm8k';
  if (has('problem', 'solution')) return has('domain') ? 'omni-math' : 'math';
  return null;
}

/** MATH's own records have `level` ("Level 3") and `type`, those of MATH-500 a number and `subject`, and the answer beside the solution. */
const mathSchema = z.object({
  problem: z.string().min(1),
  solution: z.string().nullish(),
  answer: z.string().nullish(),
  subject: z.string().optional(),
  type: z.string().optional(),
  level: z.union([z.number(), z.string(), z.bigint().transform(Number)]).optional(),
  unique_id: z.string().optional(),
});

export type ProblemOrFault = { readonly value: NamedProblem } | { readonly fault: string };

/** The record as a problem, or why it is none. */
export function namedProblem(name: DatasetName, record: unknown, options: ReadingOptions): ProblemOrFault {
  switch (name) {
    case 'gsm8k':
      return read(gsm8kSchema, record, ({ question, answer }) => ({
        problem: question.trim(),
        solution: (options.calculator === 'remove' ? answer.replaceAll(/<<[^<>]*>>/g, '') : answer).trim(),
        answer: markedAnswer(answer.trim())?.replaceAll(',', ''),
        facts: {},
      }));
    case 'omni-math':
      return read(omniMathSchema, record, ({ problem, solution, answer, difficulty, domain, source }) => ({
        ...solved(problem, solution, answer),
        facts: given({ difficulty, domain: domain?.[0], source }),
      }));
    case 'math':
      return read(mathSchema, record, ({ problem, solution, answer, subject, type, level, unique_id: id }) => ({
        ...solved(problem, solution, answer),
        facts: given({ difficulty: levelNumber(level), subject: subject ?? type, id }),
      }));
    default:
      return name satisfies never;
  }
}

/** An answer that is not given stands in the solution's last box. */
function solved(problem: string, given: string | null | undefined, answer: string | null | undefined) {
  const solution = given?.trim() || null;
  return { problem: problem.trim(), solution, answer: answer?.trim() ?? boxedAnswer(solution ?? '') };
}

/** MATH's "Level 3" as 3. */
function levelNumber(level: string | number | undefined): string | number | undefined {
  const digits = typeof level === 'string' ? /^Level (\d+)$/.exec(level)?.[1] : undefined;
  return digits === undefined ? level : Number(digits);
}

type Unanswered = Omit<NamedProblem, 'answer'> & { readonly answer: string | null | undefined };

function read<T>(schema: z.ZodType<T>, record: unknown, convert: (fields: T) => Unanswered): ProblemOrFault {
  const parsed = schema.safeParse(record);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    return { fault: `field '${path.join('.')}': ${message}` };
  }
  const { answer, ...rest } = convert(parsed.data);
  if (answer === null || answer === undefined || (answer === '' && rest.solution === null))
    return { fault: "field 'answer': is missing, and the solution has no \\boxed{…}" };
  return { value: { ...rest, answer } };
}

function given(facts: Record<string, string | number | undefined>): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(facts).filter((fact): fact is [string, string | number] => fact[1] !== undefined),
  );
}
