import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { answerIn, readAnswerItems } from './answer-items.js';
import { readChoiceItems } from './choice-items.js';
import { type ChoiceTask, parseTaskList } from './task-config.js';

const lines = (...records: unknown[]) => records.map((record) => JSON.stringify(record)).join('\n');

describe('choice items', () => {
  it('are the prompts that each benchmark is scored with', async () => {
    const folder = temporaryFolder();
    const arc = folder.write('arc.jsonl', lines({ question: 'Why?', choices: ['so', 'not so'], answer: 1, id: 'x' }));
    expect(await readChoiceItems('arc_challenge', { path: arc, shots: 5 })).toEqual([
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
      lines({ sentence: "Ann told Bea that _'s cat ran. ", option1: 'Ann', option2: 'Bea', answer: 2 }),
    );
    expect((await readChoiceItems('winogrande', { path: winogrande, shots: 5 }))[0]).toMatchObject({
      choices: [
        { context: 'Ann told Bea that Ann', continuation: " 's cat ran." },
        { context: 'Ann told Bea that Bea', continuation: " 's cat ran." },
      ],
      answer: 1,
    });
    const item = (subject: string, question: string) => ({ subject, question, choices: ['p', 'q'], answer: 1 });
    const path = folder.write('mmlu.jsonl', `${lines(item('high_art', 'Q1'))}\n\n`);
    const examples = folder.write('dev.jsonl', lines(item('law', 'L'), item('high_art', 'D1'), item('high_art', 'D2')));
    const [mmlu] = await readChoiceItems('mmlu', { path, examples, shots: 1 });
    expect(mmlu!.choices.map(({ continuation }) => continuation)).toEqual([' A', ' B']);
    expect(mmlu!.choices[0]!.context).toBe(
      'The following are multiple choice questions (with answers) about high art.\n\n' +
        'D1\nA. p\nB. q\nAnswer: B\n\nQ1\nA. p\nB. q\nAnswer:',
    );
  });

  it('are read in the forms in which the benchmarks are published, and mean the same', async () => {
    const folder = temporaryFolder();
    const first = async (task: ChoiceTask, record: object, name = 'f.jsonl') =>
      (await readChoiceItems(task, { path: folder.write(name, `\ufeff${lines(record)}`), shots: 0 }))[0]!;
    const arc = await first('arc_challenge', { question: 'Hot?', choices: ['ice', 'fire'], answer: 1 });
    const [text, label] = [
      ['ice', 'fire'],
      ['A', 'B'],
    ];
    const beside = { id: 'a', question: 'Hot?', choices: { text, label }, answerKey: 'B' };
    const numbered = { ...beside, choices: { text, label: ['1', '2'] }, answerKey: '2' };
    const stem = { stem: 'Hot?', choices: text!.map((choice, i) => ({ text: choice, label: label![i] })) };
    for (const record of [beside, numbered, { id: 'a', question: stem, answerKey: 'B' }])
      expect(await first('arc_challenge', record)).toEqual(arc);

    const endings = ['takes out bread.', 'swims [step] off.', 'flies.', 'reads.'];
    const baking = { activity_label: 'Baking', ctx_a: 'She opens the oven [title] Next', ctx_b: 'she LOOKS', endings };
    const query = 'Baking: She opens the oven. Next She looks';
    const hellaswag = { query, choices: ['takes out bread.', 'swims off.', 'flies.', 'reads.'], answer: 2 };
    for (const answer of ['2', 2])
      expect(await first('hellaswag', { ...baking, ctx: 'x', label: answer })).toEqual(
        await first('hellaswag', hellaswag),
      );

    const mmlu = { question: 'Two plus two?', subject: 'arithmetic', choices: ['3', '4', '5', '6'] };
    expect(await first('mmlu', { ...mmlu, answer: 'B' })).toEqual(await first('mmlu', { ...mmlu, answer: 1 }));

    const wino = { sentence: 'The cup is in _ now.', option1: 'a', option2: 'b' };
    expect(await first('winogrande', { ...wino, answer: '2' })).toEqual(
      await first('winogrande', { ...wino, answer: 2 }),
    );

    const array = folder.write('all.json', JSON.stringify([beside, numbered]));
    expect(await readChoiceItems('arc_challenge', { path: array, shots: 0 })).toEqual([arc, arc]);
  });

  it('without an answer say that test splits have none', async () => {
    const folder = temporaryFolder();
    const read = (task: ChoiceTask, record: object) =>
      readChoiceItems(task, { path: folder.write('f.jsonl', lines(record)), shots: 0 });
    const wino = { sentence: 'The cup is in _ now.', option1: 'a', option2: 'b', answer: '' };
    await expect(read('winogrande', wino)).rejects.toThrow(/f\.jsonl:1: answer: names no choice .*not published/);
    const arc = { question: 'Hot?', choices: { text: ['ice', 'fire'], label: ['A', 'B'] }, answerKey: '' };
    await expect(read('arc_challenge', arc)).rejects.toThrow(/f\.jsonl:1: answerKey: .*not published/);
    await expect(read('winogrande', { text: 'x' })).rejects.toThrow(
      /f\.jsonl:1: sentence: is missing; a record has sentence, option1, option2 and answer/,
    );
    await expect(read('arc_challenge', { text: 'x' })).rejects.toThrow(
      /is missing; a record has question, choices and/,
    );
    const mmlu = { question: 'Q', subject: 's', choices: ['3', '4'], answer: 'C' };
    await expect(read('mmlu', mmlu)).rejects.toThrow(/f\.jsonl:1: answer: no choice has this index/);
  });

  it('that are wrong are refused with file, line and key', async () => {
    const folder = temporaryFolder();
    const good = { question: 'Why?', choices: ['so', 'not so'], answer: 1 };
    const read = (content: string) =>
      readChoiceItems('arc_challenge', { path: folder.write('f.jsonl', content), shots: 0 });
    await expect(read(lines(good, { ...good, answer: 2 }))).rejects.toThrow(
      /f\.jsonl:2: answer: no choice has this index/,
    );
    await expect(read(lines(good, { ...good, choices: ['one'] }))).rejects.toThrow(/f\.jsonl:2: choices: /);
    await expect(read(`${lines(good)}\n{oops`)).rejects.toThrow(/f\.jsonl:2: no JSON: /);
    await expect(read('\n')).rejects.toThrow(/no records/);
    await expect(readChoiceItems('hellaswag', { path: '/nowhere.jsonl', shots: 0 })).rejects.toThrow(/no such file/);
    expect(
      await readChoiceItems('arc_challenge', {
        path: folder.write('g.jsonl', lines(good, good, 1)),
        shots: 0,
        limit: 2,
      }),
    ).toHaveLength(2);
  });
});

describe('answer items', () => {
  it('are prompts with solved examples in front, and answers', async () => {
    const folder = temporaryFolder();
    const path = folder.write('test.jsonl', lines({ question: '1+1?', answer: 'It is 2.\n#### 2' }));
    const examples = folder.write(
      'train.jsonl',
      lines({ question: '2+2?', answer: '4\n#### 4' }, { question: '', answer: '' }),
    );
    expect(await readAnswerItems('gsm8k', { path, examples, shots: 1 })).toEqual([
      { prompt: 'Problem: 2+2?\nSolution: 4\n#### 4\n\nProblem: 1+1?\nSolution:', answer: '2' },
    ]);
    const math = folder.write(
      'math.jsonl',
      lines({ problem: 'x?', solution: 'So \\boxed{3}.' }, { problem: 'y?', answer: '4' }),
    );
    expect((await readAnswerItems('math', { path: math, shots: 0 })).map(({ answer }) => answer)).toEqual(['3', '4']);
    const bad = folder.write('bad.jsonl', lines({ problem: 'x?', solution: 'none' }));
    await expect(readAnswerItems('omni_math', { path: bad, shots: 0 })).rejects.toThrow(
      /bad\.jsonl:1: field 'answer': is missing/,
    );
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
