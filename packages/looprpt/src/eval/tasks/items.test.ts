import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { answerIn, readAnswerItems } from './answer-items.js';
import { readChoiceItems } from './choice-items.js';
import { parseTaskList } from './task-config.js';

const lines = (...records: unknown[]) => records.map((record) => JSON.stringify(record)).join('\n');

describe('choice items', () => {
  it('are the prompts that each benchmark is scored with', () => {
    const folder = temporaryFolder();
    const arc = folder.write('arc.jsonl', lines({ question: 'Why?', choices: ['so', 'not so'], answer: 1, id: 'x' }));
    expect(readChoiceItems('arc_challenge', { path: arc, shots: 5 })).toEqual([
      {
        choices: [
          { context: 'Question: Why?\nAnswer:', continuation: ' so' },
          { context: 'Question: Why?\nAnswer:', continuation: ' not so' },
        ],
        answer: 1,
        group: null,
      },
    ]);
    const winogrande = folder.write(
      'w.jsonl',
      lines({ sentence: "Ann told Bea that _'s cat ran.", option1: 'Ann', option2: 'Bea', answer: 2 }),
    );
    expect(readChoiceItems('winogrande', { path: winogrande, shots: 5 })[0]).toMatchObject({
      choices: [
        { context: 'Ann told Bea that Ann', continuation: "'s cat ran." },
        { context: 'Ann told Bea that Bea', continuation: "'s cat ran." },
      ],
      answer: 1,
    });
    const item = (subject: string, question: string) => ({ subject, question, choices: ['p', 'q'], answer: 1 });
    const path = folder.write('mmlu.jsonl', `${lines(item('high_art', 'Q1'))}\n\n`);
    const examples = folder.write('dev.jsonl', lines(item('law', 'L'), item('high_art', 'D1'), item('high_art', 'D2')));
    const [mmlu] = readChoiceItems('mmlu', { path, examples, shots: 1 });
    expect(mmlu!.choices.map(({ continuation }) => continuation)).toEqual([' A', ' B']);
    expect(mmlu!.choices[0]!.context).toBe(
      'The following are multiple choice questions (with answers) about high art.\n\n' +
        'D1\nA. p\nB. q\nAnswer: B\n\nQ1\nA. p\nB. q\nAnswer:',
    );
  });

  it('that are wrong are refused with file, line and key', () => {
    const folder = temporaryFolder();
    const good = { question: 'Why?', choices: ['so', 'not so'], answer: 1 };
    const read = (content: string) => () =>
      readChoiceItems('arc_challenge', { path: folder.write('f.jsonl', content), shots: 0 });
    expect(read(lines(good, { ...good, answer: 2 }))).toThrow(/f\.jsonl:2: answer: no choice has this index/);
    expect(read(lines(good, { ...good, choices: ['one'] }))).toThrow(/f\.jsonl:2: choices: /);
    expect(read(`${lines(good)}\n{oops`)).toThrow(/f\.jsonl:2: not a line of JSON/);
    expect(read('\n')).toThrow(/no records/);
    expect(() => readChoiceItems('hellaswag', { path: '/nowhere.jsonl', shots: 0 })).toThrow(/no such file/);
    expect(
      readChoiceItems('arc_challenge', { path: folder.write('g.jsonl', lines(good, good, 1)), shots: 0, limit: 2 }),
    ).toHaveLength(2);
  });
});

describe('answer items', () => {
  it('are prompts with solved examples in front, and answers', () => {
    const folder = temporaryFolder();
    const path = folder.write('test.jsonl', lines({ question: '1+1?', answer: 'It is 2.\n#### 2' }));
    const examples = folder.write(
      'train.jsonl',
      lines({ question: '2+2?', answer: '4\n#### 4' }, { question: '', answer: '' }),
    );
    expect(readAnswerItems('gsm8k', { path, examples, shots: 1 })).toEqual([
      { prompt: 'Problem: 2+2?\nSolution: 4\n#### 4\n\nProblem: 1+1?\nSolution:', answer: '2' },
    ]);
    const math = folder.write(
      'math.jsonl',
      lines({ problem: 'x?', solution: 'So \\boxed{3}.' }, { problem: 'y?', answer: '4' }),
    );
    expect(readAnswerItems('math', { path: math, shots: 0 }).map(({ answer }) => answer)).toEqual(['3', '4']);
    const bad = folder.write('bad.jsonl', lines({ problem: 'x?', solution: 'none' }));
    expect(() => readAnswerItems('omni_math', { path: bad, shots: 0 })).toThrow(/bad\.jsonl:1: answer: is missing/);
  });

  it('are read off before the next problem begins', () => {
    expect(answerIn('gsm8k', ' It is 7.\n#### 7\n\nProblem: 8\n#### 9')).toBe('7');
    expect(answerIn('gsm8k', ' It is 7 or 8.\nProblem: 9')).toBe('8');
    expect(answerIn('math', ' So \\boxed{\\frac{1}{2}}.\nProblem: \\boxed{3}')).toBe('\\frac{1}{2}');
    expect(answerIn('math', ' I do not know 5')).toBeNull();
  });
});

describe('parseTaskList', () => {
  it('reads names, paths and examples', () => {
    expect(parseTaskList('gsm8k=a=b.jsonl, mmlu=t.jsonl,mmlu.examples=d.jsonl')).toEqual([
      { task: 'gsm8k', path: 'a=b.jsonl' },
      { task: 'mmlu', path: 't.jsonl', examples: 'd.jsonl' },
    ]);
    expect(() => parseTaskList('gsm8k')).toThrow(/'gsm8k' is not NAME=PATH/);
    expect(() => parseTaskList('chess=x')).toThrow(/no task 'chess'/);
    expect(() => parseTaskList('mmlu.examples=x')).toThrow(/without mmlu=PATH/);
  });
});
