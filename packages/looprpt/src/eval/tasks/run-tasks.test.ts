import { liveTensors } from '@looprpt/engine';
import { describe, expect, it } from 'vitest';
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

const records = [
  { question: 'the cat sat on', choices: ['the mat', 'the log of the dog', 'a dog'], answer: 0 },
  { question: 'what is 12', choices: ['plus', 'the answer is 42', 'mat'], answer: 1 },
  { question: 'the answer to', choices: ['7 plus 8', '15', 'naïve café emoji'], answer: 2 },
  { question: 'one line;', choices: ['again', 'the emoji again', '😀'], answer: 1 },
  { question: 'log', choices: ['cat', 'sat', 'mat and the dog sat'], answer: 2 },
  // Choices of benchmarks may have white space of their own, which is scored and counted.
  { question: 'the dog', choices: ['  sat on the log', 'sat ', ' mat  '], answer: 0 },
];

describe('runTasks', () => {
  it('scores choices as a slow scorer does, one choice and one loop at a time', async () => {
    const tokenizer = await tinyTokenizer();
    const { model, slow } = tinyLoopLM(5, { vocabSize: tokenizer.vocabSize });
    const path = temporaryFolder().write('arc.jsonl', records.map((record) => JSON.stringify(record)).join('\n'));
    const taus = [0.3, 0.6];
    const config = taskConfig.parse({ task: 'arc_challenge', path, taus, batchTokens: 100 });
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
    for (const { question, choices, answer } of records) {
      const scores = rules.map(() => [] as number[]);
      for (const choice of choices) {
        const context = `Question: ${question}\nAnswer:`;
        const ids = [...(await tokenizer.encode(`${context} ${choice}`))];
        const first = (await tokenizer.encode(context)).length;
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
        if (best(values.map((v, c) => v / [...choices[c]!].length)) === answer) normalised[r]! += 1 / records.length;
      });
    }
    const [task] = result.tasks;
    expect(task).toMatchObject({ kind: 'choice', task: 'arc_challenge', path, items: 6, shots: 0 });
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
  });

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
