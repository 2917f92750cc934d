/**
 * Addition, subtraction and multiplication of numbers of several digits, written out column by column with carries.
 * Written out, each column is a small lookup and the text carries the state: an easy, long task whose hard tokens are
 * the first of a line (where is the next digit?). With `steps: false` only the result is asked for, and every digit
 * needs the chain of carries below it, which is what depth is for.
 *
 *   add 3 4 7 + 8 5 = 7 + 5 + 0 : 1 2 , 4 + 8 + 1 : 1 3 , 3 + 0 + 1 : 0 4 -> 4 3 2 so 4 3 2
 *
 * A column reads "digit op digit op carry : carry digit". Subtraction never goes below zero: its columns read
 * "digit - digit - borrow : borrow digit". Multiplication has one stage a digit of the second factor ("digit * digit +
 * carry : carry digit", the result shifted by zeros), each from the second on followed by a stage that adds it to the
 * sum so far; stages are separated by ";".
 */
import { z } from 'zod';
import type { Rng } from '../../base/rng.js';
import { DocumentBuilder } from '../documents/document.js';
import { drawBelonging } from './split.js';
import { type Task, taskMeta } from './task.js';

const operationSchema = z.enum(['add', 'sub', 'mul']);
type Operation = z.output<typeof operationSchema>;

export const arithmeticConfigSchema = z
  .strictObject({
    task: z.literal('arithmetic'),
    operations: z.array(operationSchema).min(1).default(['add', 'sub', 'mul']).describe('operations to draw from'),
    minDigits: z.int().min(1).max(32).default(2).describe('fewest digits of the longer operand'),
    maxDigits: z.int().min(1).max(32).default(4).describe('most digits of the longer operand'),
    problems: z.int().min(1).max(1024).default(1).describe('problems in a document'),
    steps: z.boolean().default(true).describe('write every column; false: only the result'),
    maskPrompt: z.boolean().default(true).describe('only what follows "=" counts in the loss'),
  })
  .refine((config) => config.minDigits <= config.maxDigits, {
    path: ['minDigits'],
    message: 'must not exceed maxDigits',
  });

export type ArithmeticConfig = z.output<typeof arithmeticConfigSchema>;

/** Digits of a number, the least significant first, no zeros at the end except for zero itself. */
type Digits = readonly number[];

/** One stage of the work: its columns as text, and the number it comes to. */
interface Stage {
  readonly columns: readonly string[];
  readonly result: Digits;
}

const signs = { add: '+', sub: '-', mul: '*' } as const;

function trimmed(digits: Digits): Digits {
  return digits.slice(
    0,
    Math.max(
      0,
      digits.findLastIndex((digit) => digit !== 0),
    ) + 1,
  );
}

const written = (digits: Digits): string => digits.toReversed().join(' ');

function addStage(a: Digits, b: Digits): Stage {
  const columns: string[] = [];
  const result: number[] = [];
  let carry = 0;
  for (let column = 0; column < Math.max(a.length, b.length); column++) {
    const sum = (a[column] ?? 0) + (b[column] ?? 0) + carry;
    columns.push(`${a[column] ?? 0} + ${b[column] ?? 0} + ${carry} : ${sum >= 10 ? 1 : 0} ${sum % 10}`);
    carry = sum >= 10 ? 1 : 0;
    result.push(sum % 10);
  }
  return { columns, result: trimmed([...result, carry]) };
}

function subtractStage(a: Digits, b: Digits): Stage {
  const columns: string[] = [];
  const result: number[] = [];
  let borrow = 0;
  for (let column = 0; column < a.length; column++) {
    const difference = a[column]! - (b[column] ?? 0) - borrow;
    const digit = (difference + 10) % 10;
    columns.push(`${a[column]!} - ${b[column] ?? 0} - ${borrow} : ${difference < 0 ? 1 : 0} ${digit}`);
    borrow = difference < 0 ? 1 : 0;
    result.push(digit);
  }
  return { columns, result: trimmed(result) };
}

function multiplyStage(a: Digits, digit: number, shift: number): Stage {
  const columns: string[] = [];
  const result: number[] = new Array<number>(shift).fill(0);
  let carry = 0;
  for (const factor of a) {
    const product = factor * digit + carry;
    columns.push(`${factor} * ${digit} + ${carry} : ${Math.floor(product / 10)} ${product % 10}`);
    carry = Math.floor(product / 10);
    result.push(product % 10);
  }
  return { columns, result: trimmed([...result, carry]) };
}

/** A partial product for each digit of b, and after all but the first the sum so far. */
function multiplyStages(a: Digits, b: Digits): Stage[] {
  const stages: Stage[] = [];
  for (const [shift, digit] of b.entries()) {
    const sumSoFar = stages.at(-1)?.result;
    const partial = multiplyStage(a, digit, shift);
    stages.push(partial);
    if (sumSoFar) stages.push(addStage(sumSoFar, partial.result));
  }
  return stages;
}

function stagesOf(operation: Operation, a: Digits, b: Digits): Stage[] {
  switch (operation) {
    case 'add':
      return [addStage(a, b)];
    case 'sub':
      return [subtractStage(a, b)];
    case 'mul':
      return multiplyStages(a, b);
    default:
      return operation satisfies never;
  }
}

function drawDigits(rng: Rng, length: number): Digits {
  return Array.from({ length }, (_, index) => (index === length - 1 && length > 1 ? rng.between(1, 9) : rng.below(10)));
}

/** Whether a ≥ b, as numbers. */
function atLeast(a: Digits, b: Digits): boolean {
  const order = (digits: Digits) => `${String(digits.length).padStart(4, '0')} ${written(digits)}`;
  return order(a) >= order(b);
}

function drawProblem(rng: Rng, operation: Operation, digits: number) {
  const longer = drawDigits(rng, digits);
  const other = drawDigits(rng, rng.between(1, digits));
  const swap = operation === 'sub' ? !atLeast(longer, other) : rng.chance(0.5);
  const [a, b] = swap ? [other, longer] : [longer, other];
  const operands = [written(a), written(b)];
  if (operation !== 'sub') operands.sort();
  return { a, b, canonical: `arithmetic ${operation} ${operands.join(' , ')}` };
}

export const arithmetic: Task<typeof arithmeticConfigSchema> = {
  name: 'arithmetic',
  describe: 'addition, subtraction and multiplication of long numbers, written out with carries',
  configSchema: arithmeticConfigSchema,

  generate(rng, config, belongs) {
    const builder = new DocumentBuilder();
    const levels: number[] = [];
    for (let index = 0; index < config.problems; index++) {
      const operation = rng.pick(config.operations);
      const digits = rng.between(config.minDigits, config.maxDigits);
      const { a, b } = drawBelonging(() => drawProblem(rng, operation, digits), belongs, {
        task: 'arithmetic',
        widen: 'raise minDigits',
      });
      const stages = stagesOf(operation, a, b);
      const work = stages.map((stage) => `${stage.columns.join(' , ')} -> ${written(stage.result)}`).join(' ; ');
      const result = written(stages.at(-1)!.result);
      if (index > 0) builder.words('.');
      builder
        .words(`${operation} ${written(a)} ${signs[operation]} ${written(b)} =`)
        .answer(config.steps ? `${work} so ${result}` : result);
      levels.push(digits);
    }
    return builder.build(taskMeta('arithmetic', levels), config.maskPrompt);
  },
};
