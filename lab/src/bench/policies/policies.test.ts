import type { CachePolicy } from 'looprpt/internal/decode/index.js';
import { describe, expect, it } from 'vitest';
import { tinyLoopLM } from '../../../../packages/looprpt/test-support/eval-models.js';
import { slowText } from '../../../../packages/looprpt/test-support/slow/slow-decoder.js';
import { type PolicyDocument, questionsOf } from './documents.js';
import { difference, meansOf } from './intervals.js';
import { type DocumentSums, freelyWritten, teacherForced } from './measure.js';

const documents: PolicyDocument[] = [
  { prompt: [1, 2, 3], rest: [4, 5, 6, 7], counts: [true, false, false, true] },
  { prompt: [9], rest: [8, 8, 1], counts: [true, true, true] },
];
const perLoop: CachePolicy = { decode: 'per-loop', prefill: 'all' };
const adaptive: CachePolicy = { decode: 'last', prefill: 'adaptive' };
const complete: CachePolicy = { decode: 'complete', prefill: 'all' };

describe('the measurement of cache policies', () => {
  it('scores the text itself as the slow decoder does when it is made to follow it', () => {
    const { model, slow } = tinyLoopLM(3);
    for (const [policy, threshold] of [
      [perLoop, 0.5],
      [adaptive, 0.6],
      [complete, 0.5],
    ] as const) {
      const measured = teacherForced(model, policy, threshold, documents);
      documents.forEach(({ prompt, rest, counts }, d) => {
        const exit = { rule: 'gate', threshold } as const;
        const { logProbs, loops } = slowText(slow, { prompt, maxTokens: rest.length, follow: rest, exit }, policy);
        const counted = <T>(values: T[]): T[] => values.filter((_, t) => counts[t]);
        const sum = (values: number[]): number => counted(values).reduce((total, value) => total + value, 0);
        expect(measured[d]).toMatchObject({ tokens: counted(rest).length, loops: sum(loops) });
        expect(measured[d]!.loss).toBeCloseTo(-sum(logProbs), 3);
      });
    }
    model.dispose();
  });

  it('finds every policy but `last` the same as the complete cache where all loops run', () => {
    const { model } = tinyLoopLM(3);
    const questions = questionsOf(documents);
    for (const prefill of ['all', 'adaptive'] as const) {
      const policy: CachePolicy = { decode: 'per-loop', prefill };
      const [sums, completeSums] = [policy, complete].map((one) => teacherForced(model, one, 2, documents));
      sums!.forEach(({ loss, ...sums }, d) => {
        const { loss: expected, ...others } = completeSums![d]!;
        expect(sums).toEqual(others);
        expect(loss).toBeCloseTo(expected, 4);
      });
      expect(freelyWritten(model, policy, 2, questions)).toEqual(freelyWritten(model, complete, 2, questions));
    }
    model.dispose();
  });

  it('asks one stretch of every document, with all that stands before it', () => {
    expect(questionsOf([documents[0]!, documents[0]!, documents[1]!])).toEqual([
      { prompt: [1, 2, 3], answer: [4] },
      { prompt: [1, 2, 3, 4, 5, 6], answer: [7] },
      { prompt: [9], answer: [8, 8, 1] },
    ]);
  });

  it('gives means by token, and intervals by document', () => {
    const sums = (tokens: number, correct: number): DocumentSums => ({
      tokens,
      correct,
      loss: 2 * tokens,
      loops: tokens,
    });
    const a = [sums(10, 10), sums(30, 0), sums(10, 5)];
    expect(meansOf(a)).toEqual({ accuracy: 0.3, crossEntropy: 2, meanLoops: 1 });
    expect(difference('accuracy', a, a)).toEqual({ value: 0, low: 0, high: 0 });
    const always = difference('accuracy', a, [sums(10, 9), sums(30, -3), sums(10, 4)]);
    for (const value of Object.values(always)) expect(value).toBeCloseTo(0.1, 10);
    const mixed = difference('accuracy', a, [sums(10, 0), sums(30, 30), sums(10, 5)]);
    expect(mixed.value).toBeCloseTo(-0.4);
    expect([mixed.low, mixed.high]).toEqual([-1, 1]);
  });
});
