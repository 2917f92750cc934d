/** The readers on the public data sets, where a machine has them. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../test-support/shared-data.js';
import { answerIn, readAnswerItems } from './answer-items.js';
import { sameAnswer } from './answers.js';
import { readChoiceItems } from './choice-items.js';
import { ANSWER_TASKS, CHOICE_TASKS } from './task-config.js';

const MISSING = 'the folder shared/data is not here';

const choiceFiles = [
  { task: 'arc_challenge', file: 'arc_challenge_test.jsonl', count: 1172, choices: 4 },
  { task: 'arc_challenge', file: 'arc_challenge_validation.jsonl', count: 299, choices: 4 },
  { task: 'hellaswag', file: 'hellaswag_val_1000.jsonl', count: 1000, choices: 4 },
  { task: 'winogrande', file: 'winogrande_validation.jsonl', count: 1267, choices: 2 },
  { task: 'mmlu', file: 'mmlu_test_sample.jsonl', count: 1140, choices: 4 },
  { task: 'mmlu', file: 'mmlu_validation.jsonl', count: 1531, choices: 4 },
] as const;

describe('multiple choice', () => {
  for (const { task, file, count, choices } of choiceFiles)
    it(`${task}: ${file} is read whole`, async ({ skip }) => {
      const path = sharedData('evals', file);
      if (path === null) return skip(MISSING);
      const items = await readChoiceItems(task, { path, shots: 0 });
      expect(items).toHaveLength(count);
      expect(items.filter((item) => item.choices.length === choices).length / count).toBeGreaterThan(0.98);
    });

  it('mmlu has five examples for every subject', async ({ skip }) => {
    const path = sharedData('evals', 'mmlu_test_sample.jsonl');
    const examples = sharedData('evals', 'mmlu_dev.jsonl');
    if (path === null || examples === null) return skip(MISSING);
    for (const { choices } of await readChoiceItems('mmlu', { path, examples, shots: 5 }))
      expect(choices[0]!.context.split('\nAnswer:')).toHaveLength(7);
  });
});

const answerFiles = [
  { task: 'gsm8k', file: ['gsm8k', 'test.jsonl'], count: 1319, solution: 'answer', agree: 1 },
  { task: 'math', file: ['math', 'math500.jsonl'], count: 500, solution: 'solution', agree: 0.99 },
  // Most of these solutions have no box.
  { task: 'omni_math', file: ['omni-math', 'heldout.jsonl'], count: 200, solution: 'solution', agree: 0.1 },
] as const;

describe('answers', () => {
  for (const { task, file, count, solution, agree } of answerFiles)
    it(`${task}: the answer read off each reference solution is the reference answer`, async ({ skip }) => {
      const path = sharedData(...file);
      if (path === null) return skip(MISSING);
      const items = await readAnswerItems(task, { path, shots: 0 });
      expect(items).toHaveLength(count);
      const records = readFileSync(path, 'utf8').trim().split('\n');
      const right = items.filter(({ answer }, i) => {
        const text = (JSON.parse(records[i]!) as Record<string, string>)[solution]!;
        const found = answerIn(task, text);
        return found !== null && sameAnswer(found, answer);
      });
      expect(right.length / count).toBeGreaterThanOrEqual(agree);
    });

  it('every task has a file here', () => {
    const tasks = [...choiceFiles, ...answerFiles].map(({ task }) => task);
    expect(new Set(tasks)).toEqual(new Set([...CHOICE_TASKS, ...ANSWER_TASKS]));
  });
});
