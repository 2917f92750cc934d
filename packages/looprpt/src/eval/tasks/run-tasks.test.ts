import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../../engine/test-support/collect-garbage.js';
import { tinyLoopLM } from '../../../test-support/eval-models.js';
import { greedyDecode, type SlowExitRule } from '../../../test-support/slow/slow-decode.js';
import { exitPdf, firstReaching } from '../../../test-support/slow/slow-exit.js';
import { forward, gateLogit, headLogits, logSoftmax } from '../../../test-support/slow/slow-loop-lm.js';
import { statesAt } from '../../../test-support/slow/slow-readout.js';
import { temporaryFolder } from '../../../test-support/temporary-folder.js';
import { tinyTokenizer } from '../../../test-support/tiny-tokenizer.js';
import { runTasks } from './run-tasks.js';
import { taskConfig } from './task-config.js';
import { TasksResultSchema } from './task-result.js';

interface ChoiceCase {
  task: 'arc_challenge' | 'hellaswag' | 'winogrande';
  records: object[];
  /** Of each record: context and continuation of each choice, and the right one; written down anew. */
  pairs: { texts: [string, string][]; answer: number }[];
}

const questions: [string, string[], number][] = [
  ['the cat sat on', ['the mat', 'the log of the dog', 'a dog'], 0],
  ['what is 12', ['plus', 'the answer is 42', 'mat'], 1],
  ['the answer to', ['7 plus 8', '15', 'naïve café emoji'], 2],
  ['one line;', ['again', 'the emoji again', '😀'], 1],
  ['log', ['cat', 'sat', 'mat and the dog sat'], 2],
  // Choices of benchmarks may have white space of their own, which is scored and counted.
  ['the dog', ['  sat on the log', 'sat ', ' mat  '], 0],
];

const sentences: [string, string, string, string, number][] = [
  ['the dog and ', ' sat on the mat', 'cat', 'emoji', 1],
  ['what is ', ', the answer', '12', '42 plus', 0],
  ['the cat sat on ', "'s log ", 'dog', 'the cat', 1],
  ['one ', '  again', 'line', 'log', 0],
];

const cases: ChoiceCase[] = [
  {
    task: 'arc_challenge',
    records: questions.map(([question, choices, answer]) => ({ question, choices, answer })),
    pairs: questions.map(([question, choices, answer]) => ({
      texts: choices.map((choice) => [`Question: ${question}\nAnswer:`, choice]),
      answer,
    })),
  },
  {
    // White space at the end of a context is scored with the choice.
    task: 'hellaswag',
    records: questions.map(([query, choices, answer], i) => ({ query: query + ' '.repeat(i % 3), choices, answer })),
    pairs: questions.map(([query, choices, answer], i) => ({
      texts: choices.map((choice) => [query + ' '.repeat(i % 3), choice]),
      answer,
    })),
  },
  {
    // The blank is filled in the context, and what follows it comes after a space, whatever it is.
    task: 'winogrande',
    records: sentences.map(([before, after, option1, option2, answer]) => ({
      sentence: `${before}_${after}`,
      option1,
      option2,
      answer: answer + 1,
    })),
    pairs: sentences.map(([before, after, option1, option2, answer]) => ({
      texts: [option1, option2].map((option) => [before + option, after.trim()]),
      answer,
    })),
  },
];

describe('runTasks', () => {
  it.each(cases)(
    'scores choices as a slow scorer does, one at a time: $task',
    async ({ task: name, records, pairs }) => {
      const tokenizer = await tinyTokenizer();
      const { model, slow } = tinyLoopLM(5, { vocabSize: tokenizer.vocabSize });
      const path = temporaryFolder().write('records.jsonl', records.map((record) => JSON.stringify(record)).join('\n'));
      const taus = [0.3, 0.6];
      const config = taskConfig.parse({ task: name, path, taus, batchTokens: 100 });
      await collectGarbage();
      const before = liveTensors();
      const progress: number[] = [];
      const result = await runTasks(model, tokenizer, [config], {
        name: 'tiny',
        onProgress: (_, done, total) => progress.push(done / total),
      });
      expect(liveTensors()).toBe(before);
      expect(progress.at(-1)).toBe(1);
      expect(progress.length).toBeGreaterThan(1);
      expect(TasksResultSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
      expect(result).toMatchObject({ model: 'tiny', loops: 3 });

      type Pick = (states: number[][]) => number;
      const rules: Pick[] = [
        () => 0,
        () => 1,
        () => 2,
        ...taus.map(
          (tau) => (states: number[][]) => firstReaching(exitPdf(states.map((h) => gateLogit(slow.params, h))), tau),
        ),
      ];
      const raw = rules.map(() => 0);
      const normalised = rules.map(() => 0);
      const loopsUsed = rules.map(() => [] as number[]);
      for (const { texts, answer } of pairs) {
        const scores = rules.map(() => [] as number[]);
        for (const [context, choice] of texts) {
          const ids = [...(await tokenizer.encode(`${context} ${choice}`))];
          const first = (await tokenizer.encode(context.replace(/ +$/, ''))).length;
          const pass = forward(slow.config, slow.params, { ids: [ids] });
          rules.forEach((pick, r) => {
            let sum = 0;
            for (let s = first - 1; s < ids.length - 1; s++) {
              const states = statesAt(pass, { row: 0, position: s });
              const k = pick(states);
              sum += logSoftmax(headLogits(slow.config, slow.params, states[k]!))[ids[s + 1]!]!;
              loopsUsed[r]!.push(k + 1);
            }
            scores[r]!.push(sum);
          });
        }
        const best = (values: number[]) => values.indexOf(Math.max(...values));
        scores.forEach((values, r) => {
          if (best(values) === answer) raw[r]! += 1 / records.length;
          if (best(values.map((v, c) => v / [...texts[c]![1]].length)) === answer) normalised[r]! += 1 / records.length;
        });
      }
      const [task] = result.tasks;
      expect(task).toMatchObject({ kind: 'choice', task: name, path, items: pairs.length, shots: 0 });
      if (task?.kind !== 'choice') throw new Error('not a choice task');
      [...task.perLoop, ...task.adaptive].forEach((score, r) => {
        expect(score.accuracy).toBeCloseTo(raw[r]!, 9);
        expect(score.accuracyNormalised).toBeCloseTo(normalised[r]!, 9);
      });
      task.adaptive.forEach(({ tau, meanLoops }, i) => {
        const used = loopsUsed[3 + i]!;
        expect(tau).toBe(taus[i]);
        expect(meanLoops).toBeCloseTo(used.reduce((sum, loop) => sum + loop, 0) / used.length, 9);
      });
    },
  );

  it('scores generated answers as slow decoding gives them, at every loop and threshold', async () => {
    const tokenizer = await tinyTokenizer();
    const { model, slow } = tinyLoopLM(23, { vocabSize: tokenizer.vocabSize });
    const problems = ['7 plus 8', 'what is 12', 'the answer'];
    const maxTokens = 10;
    const rules: SlowExitRule[] = [
      { kind: 'fixed', step: 0 },
      { kind: 'fixed', step: 2 },
      { kind: 'threshold', threshold: 0.6 },
    ];
    const stopIds = tokenizer.stopIds({ chat: false, ...model.config });
    const decoded = await Promise.all(
      problems.map(async (problem) => {
        const prompt = [...(await tokenizer.encode(`Problem: ${problem}\nSolution:`))];
        return rules.map((exit) => {
          const { tokens, exitSteps } = greedyDecode(slow.config, slow.params, prompt, { newTokens: maxTokens, exit });
          const stop = tokens.findIndex((id) => stopIds.includes(id));
          const count = stop === -1 ? tokens.length : stop;
          return { text: tokenizer.decode(tokens.slice(0, count)), steps: exitSteps.slice(0, count) };
        });
      }),
    );
    // The right answers: what the first problem's text says last at loop 3, the second's at loop 1, and no one's.
    const lastDigits = (text: string) => text.match(/\d+/g)?.at(-1);
    const answers = [lastDigits(decoded[0]![1]!.text), lastDigits(decoded[1]![0]!.text), '4321'];
    expect(answers).not.toContain(undefined);
    const path = temporaryFolder().write(
      'gsm8k.jsonl',
      problems.map((question, i) => JSON.stringify({ question, answer: `#### ${answers[i]}` })).join('\n'),
    );
    const config = taskConfig.parse({ task: 'gsm8k', path, taus: [0.6], loops: [1, 3], maxTokens, batchSize: 2 });
    const result = await runTasks(model, tokenizer, [config], { name: 'tiny' });
    const [task] = result.tasks;
    if (task?.kind !== 'answer') throw new Error('not an answer task');
    const scores = [...task.perLoop, ...task.adaptive];
    expect(scores).toHaveLength(3);
    scores.forEach((score, r) => {
      const right = decoded.filter((row, i) => lastDigits(row[r]!.text) === answers[i]);
      const steps = decoded.flatMap((row) => row[r]!.steps);
      expect(score.accuracy).toBeCloseTo(right.length / 3, 9);
      expect(score.meanTokens).toBeCloseTo(steps.length / 3, 9);
      if ('meanLoops' in score)
        expect(score.meanLoops).toBeCloseTo(steps.reduce((sum, k) => sum + k + 1, 0) / steps.length, 9);
    });
    expect(task.perLoop.map(({ accuracy }) => accuracy)).toEqual([1 / 3, 1 / 3]);
  });
});
