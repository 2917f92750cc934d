/**
 * What the records of each data set known by name mean: problem, worked solution, final answer, and facts worth
 * keeping. Where the files are is another matter (`named.ts`).
 */
import { z } from 'zod';

export interface WorkedProblem {
  readonly problem: string;
  readonly solution: string;
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
  solution: z.string().min(1),
  answer: z.string(),
  difficulty: z.number().optional(),
  domain: z.array(z.string()).optional(),
  source: z.string().optional(),
});

const mathSchema = z.object({
  problem: z.string().min(1),
  solution: z.string().min(1),
  answer: z.string(),
  subject: z.string().optional(),
  level: z.union([z.number(), z.string(), z.bigint().transform(Number)]).optional(),
  unique_id: z.string().optional(),
});

/** The record as a problem, or why it is none. */
export function workedProblem(
  name: DatasetName,
  record: unknown,
  options: ReadingOptions,
): { readonly value: WorkedProblem } | { readonly fault: string } {
  switch (name) {
    case 'gsm8k':
      return read(gsm8kSchema, record, ({ question, answer }) => ({
        problem: question.trim(),
        solution: (options.calculator === 'remove' ? answer.replaceAll(/<<[^<>]*>>/g, '') : answer).trim(),
        answer: answer
          .slice(answer.lastIndexOf('####') + 4)
          .trim()
          .replaceAll(',', ''),
        facts: {},
      }));
    case 'omni-math':
      return read(omniMathSchema, record, ({ problem, solution, answer, difficulty, domain, source }) => ({
        problem: problem.trim(),
        solution: solution.trim(),
        answer: answer.trim(),
        facts: given({ difficulty, domain: domain?.[0], source }),
      }));
    case 'math':
      return read(mathSchema, record, ({ problem, solution, answer, subject, level, unique_id: id }) => ({
        problem: problem.trim(),
        solution: solution.trim(),
        answer: answer.trim(),
        facts: given({ difficulty: level, subject, id }),
      }));
    default:
      return name satisfies never;
  }
}

function read<T>(
  schema: z.ZodType<T>,
  record: unknown,
  convert: (fields: T) => WorkedProblem,
): { readonly value: WorkedProblem } | { readonly fault: string } {
  const parsed = schema.safeParse(record);
  if (parsed.success) return { value: convert(parsed.data) };
  const { path, message } = parsed.error.issues[0]!;
  return { fault: `field '${path.join('.')}': ${message}` };
}

function given(facts: Record<string, string | number | undefined>): Record<string, string | number> {
  return Object.fromEntries(
    Object.entries(facts).filter((fact): fact is [string, string | number] => fact[1] !== undefined),
  );
}
