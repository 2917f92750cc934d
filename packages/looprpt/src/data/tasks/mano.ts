/**
 * Mano: modular arithmetic over expression trees in prefix notation. The answer of a node needs those of its children,
 * and nothing is written in between, so the depth of the tree must be worked off inside the model; each operation is
 * also a fact (a table of m × m entries) that it has to know by heart. Difficulty is the number of operations.
 *
 *   mano * + d h - m f = y , + a b = b        (a = 0, b = 1, …, modulo 23)
 *
 * After the task in Allen-Zhu, "Physics of Language Models: Part 4.1". Numbers are letters, so that each is one token
 * for every tokenizer. An expression belongs to one split, whatever the order of the operands of + and *.
 */
import { z } from 'zod';
import type { Rng } from '../../base/rng.js';
import { DocumentBuilder } from '../documents/document.js';
import { drawBelonging } from './split.js';
import { maxSymbols, symbolName } from './symbols.js';
import { type Task, taskMeta } from './task.js';

const operatorSchema = z.enum(['+', '-', '*']);
type Operator = z.output<typeof operatorSchema>;

export const manoConfigSchema = z
  .strictObject({
    task: z.literal('mano'),
    modulus: z.int().min(2).max(maxSymbols).default(23).describe('m; numbers are 0 … m − 1, written as letters'),
    minOperations: z.int().min(1).max(64).default(1).describe('fewest operations in an expression'),
    maxOperations: z.int().min(1).max(64).default(6).describe('most operations in an expression'),
    operators: z.array(operatorSchema).min(1).default(['+', '-', '*']).describe('operators to draw from'),
    problems: z.int().min(1).max(1024).default(4).describe('expressions in a document'),
    maskPrompt: z.boolean().default(true).describe('only the values count in the loss'),
  })
  .refine((config) => config.minOperations <= config.maxOperations, {
    path: ['minOperations'],
    message: 'must not exceed maxOperations',
  });

export type ManoConfig = z.output<typeof manoConfigSchema>;

/** An expression: as it is written, its value modulo m, and a form in which equal problems are equal. */
interface Expression {
  readonly text: string;
  readonly value: number;
  readonly canonical: string;
}

function apply(operator: Operator, left: number, right: number, modulus: number): number {
  switch (operator) {
    case '+':
      return (left + right) % modulus;
    case '-':
      return (left - right + modulus) % modulus;
    case '*':
      return (left * right) % modulus;
    default:
      return operator satisfies never;
  }
}

function drawExpression(rng: Rng, config: ManoConfig, operations: number): Expression {
  if (operations === 0) {
    const value = rng.below(config.modulus);
    return { text: symbolName(value), value, canonical: String(value) };
  }
  const operator = rng.pick(config.operators);
  const leftOperations = rng.below(operations);
  const left = drawExpression(rng, config, leftOperations);
  const right = drawExpression(rng, config, operations - 1 - leftOperations);
  const operands = [left.canonical, right.canonical];
  if (operator !== '-') operands.sort();
  return {
    text: `${operator} ${left.text} ${right.text}`,
    value: apply(operator, left.value, right.value, config.modulus),
    canonical: `(${operator} ${operands.join(' ')})`,
  };
}

export const mano: Task<typeof manoConfigSchema> = {
  name: 'mano',
  describe: 'modular arithmetic over expression trees in prefix notation; depth = height of the tree',
  configSchema: manoConfigSchema,

  generate(rng, config, belongs) {
    const builder = new DocumentBuilder().words('mano');
    const levels: number[] = [];
    for (let index = 0; index < config.problems; index++) {
      const operations = rng.between(config.minOperations, config.maxOperations);
      const expression = drawBelonging(
        () => drawExpression(rng, config, operations),
        (canonical) => belongs(`mano ${config.modulus} ${canonical}`),
        { task: 'mano', widen: 'raise modulus or minOperations' },
      );
      if (index > 0) builder.words(',');
      builder.words(`${expression.text} =`).answer(symbolName(expression.value));
      levels.push(operations);
    }
    return builder.build(taskMeta('mano', levels), config.maskPrompt);
  },
};
