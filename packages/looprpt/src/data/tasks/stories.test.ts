import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { solveStory } from '../../../test-support/story-solver.js';
import { problemPrompt } from '../documents/problem.js';
import { documentAt, taskConfig } from './index.js';

/** The calculations of a solution: [a, operator, b, result]. */
function calculations(solution: string): Array<[number, string, number, number]> {
  return [...solution.matchAll(/(\d+) ([-+*/]) (\d+) = (\d+)/g)].map((match) => [
    Number(match[1]),
    match[2]!,
    Number(match[3]),
    Number(match[4]),
  ]);
}

const apply = (a: number, operator: string, b: number) =>
  operator === '+' ? a + b : operator === '-' ? a - b : operator === '*' ? a * b : a / b;

const settings = fc.record({
  maxSteps: fc.integer({ min: 1, max: 7 }),
  distractors: fc.nat(4),
  people: fc.integer({ min: 5, max: 8 }),
  items: fc.integer({ min: 2, max: 4 }),
  maxGiven: fc.integer({ min: 12, max: 60 }),
  order: fc.constantFrom('told', 'shuffled', 'mixed'),
});

describe('stories', () => {
  test('a solver that only reads the text comes to the same answer, and every calculation is right', () => {
    fc.assert(
      fc.property(settings, fc.nat(), fc.constantFrom('train', 'heldout'), (setting, seed, split) => {
        const document = documentAt(taskConfig('stories', setting), seed, split as 'train' | 'heldout', 0);
        const [problem, solution] = document.text.slice('Problem: '.length).split('\nSolution: ') as [string, string];
        const answer = solveStory(problem);
        expect(solution.split('\n').at(-1)).toBe(`#### ${answer}`);
        expect(document.meta).toMatchObject({ problem, answer: String(answer) });
        const steps = calculations(solution);
        for (const [a, operator, b, result] of steps) expect(apply(a, operator, b)).toBe(result);
        expect(steps).toHaveLength(Number(document.meta?.difficulty));
        expect(steps.at(-1)![3]).toBe(answer);
        expect(document.loss).toEqual([[problemPrompt(problem).length + 1, document.text.length]]);
      }),
      { numRuns: 300 },
    );
  });

  test('every number of steps comes up, and no two of many stories read alike', () => {
    const config = taskConfig('stories', { maxSteps: 6 });
    const documents = Array.from({ length: 300 }, (_, index) => documentAt(config, 0, 'train', index));
    const counts = new Map<unknown, number>();
    for (const { meta } of documents) counts.set(meta?.difficulty, (counts.get(meta?.difficulty) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6]);
    for (const count of counts.values()) expect(count).toBeGreaterThan(25);
    const withoutNamesAndNumbers = documents.map(({ text }) => text.replace(/[A-Z][a-z]+|\d+/g, '_'));
    expect(new Set(withoutNamesAndNumbers).size).toBe(300);
  });

  test('no calculation of one step occurs in two splits', () => {
    const config = taskConfig('stories', { maxSteps: 1, maxGiven: 12 });
    const sums = (split: 'train' | 'heldout' | 'tune', seed: number) => {
      const found = new Set<string>();
      for (let index = 0; index < 400; index++) {
        const [a, operator, b] = calculations(documentAt(config, seed, split, index).text)[0]!;
        const operands = operator === '+' || operator === '*' ? [a, b].sort((x, y) => x - y) : [a, b];
        found.add(`${operator} ${operands.join(' ')}`);
      }
      return found;
    };
    const [train, heldout, tune] = [sums('train', 1), sums('heldout', 2), sums('tune', 3)];
    expect(train.size).toBeGreaterThan(100);
    expect(Math.min(heldout.size, tune.size)).toBeGreaterThan(3);
    expect(new Set([...train, ...heldout, ...tune]).size).toBe(train.size + heldout.size + tune.size);
  });

  test('more steps than people and things allow are refused', () => {
    const config = taskConfig('stories', { minSteps: 12, maxSteps: 12, people: 3, items: 1 });
    expect(() => documentAt(config, 0, 'train', 0)).toThrow(/task 'stories': no room for 12 steps/);
  });
});
