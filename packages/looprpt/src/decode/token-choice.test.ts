import { fusedReadTokens, getThreads, scope, setThreads, type Tensor, tensor, type WantedToken } from '@looprpt/engine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logitsOf, logitsShape } from '../../test-support/logits.js';
import { sampleToken } from '../../test-support/slow/slow-sampling.js';
import { random } from '../../test-support/slow/tiny-model.js';
import { plainReadTokens } from './token-choice.js';

const UNCUT = { topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };

/** log softmax in float64. */
function logProbOf(logits: Float32Array, id: number): number {
  const largest = Math.max(...logits);
  return logits[id]! - largest - Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
}

describe('a token of every row', () => {
  const rowArbitrary = fc.record({
    ...logitsShape,
    wanted: fc.oneof(
      fc.constant('known' as const),
      fc.record({
        temperature: fc.constantFrom(0, 0.3, 0.8, 1, 2.5),
        // Not so near the ends that tokens count whose weight is nothing in float32.
        uniform: fc.integer({ min: 1, max: 99_991 }).map((n) => n / 99_992.5),
      }),
    ),
  });
  const caseArbitrary = fc.record({
    V: fc.constantFrom(1, 2, 30, 255, 256, 700, 3001),
    rows: fc.array(rowArbitrary, { minLength: 1, maxLength: 9 }),
  });

  it.each([
    ['fused', fusedReadTokens],
    ['plain', plainReadTokens],
  ] as [string, (logits: Tensor, wanted: readonly WantedToken[]) => Float64Array][])(
    '%s: is the one that the definition chooses, with its log-probability',
    (_, read) => {
      fc.assert(
        fc.property(caseArbitrary, ({ V, rows }) =>
          scope(() => {
            const logits = rows.map((row) => logitsOf(V, row));
            const wanted = rows.map(
              ({ wanted, seed }): WantedToken => (wanted === 'known' ? { id: seed % V } : wanted),
            );
            const table = Float32Array.from(logits.flatMap((row) => [...row]));
            const numbers = read(tensor(table, { shape: [rows.length, V] }), wanted);
            wanted.forEach((token, m) => {
              const expected =
                'id' in token
                  ? token.id
                  : sampleToken(logits[m]!, { temperature: token.temperature, ...UNCUT }, [], token.uniform);
              expect(numbers[2 * m]).toBe(expected);
              const logProb = logProbOf(logits[m]!, expected);
              if (logProb === Number.NEGATIVE_INFINITY) expect(numbers[2 * m + 1]).toBe(logProb);
              else expect(Math.abs(numbers[2 * m + 1]! - logProb)).toBeLessThan(1e-5 * (1 + Math.abs(logProb)));
            });
          }),
        ),
        { numRuns: 300 },
      );
    },
  );

  it('has the same bits alone and among others, with any number of threads', () => {
    const before = getThreads();
    scope(() => {
      const [M, V] = [13, 30_000];
      const numbers = random(3);
      const logits = Float32Array.from({ length: M * V }, () => 3 * numbers.normal());
      const wanted = Array.from({ length: M }, () => ({ temperature: 0.7, uniform: numbers.uniform() }));
      const [one, three] = [1, 3].map((threads) => {
        setThreads(threads);
        return fusedReadTokens(tensor(logits, { shape: [M, V] }), wanted);
      });
      expect(three).toEqual(one);
      for (let m = 0; m < M; m++) {
        const alone = fusedReadTokens(tensor(logits.slice(m * V, (m + 1) * V), { shape: [1, V] }), [wanted[m]!]);
        expect(alone).toEqual(one!.slice(2 * m, 2 * m + 2));
      }
    });
    setThreads(before);
  });

  it('draws every id as often as its probability says', () => {
    scope(() => {
      const logits = Float32Array.of(0, 1, Number.NEGATIVE_INFINITY, 2, -1);
      const draws = 4000;
      const table = Float32Array.from({ length: draws * 5 }, (_, i) => logits[i % 5]!);
      const wanted = Array.from({ length: draws }, (_, n) => ({ temperature: 2, uniform: (n + 0.5) / draws }));
      const drawn = fusedReadTokens(tensor(table, { shape: [draws, 5] }), wanted).filter((_, i) => i % 2 === 0);
      const weights = [...logits].map((logit) => Math.exp(logit / 2));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      weights.forEach((weight, id) => {
        expect(drawn.filter((one) => one === id).length / draws).toBeCloseTo(weight / total, 3);
      });
    });
  });

  it('refuses what cannot be drawn', () => {
    scope(() => {
      const logits = tensor([[0, 1, 2]]);
      expect(() => fusedReadTokens(logits, [{ id: 3 }])).toThrow(/row 0: no such id/);
      expect(() => fusedReadTokens(logits, [{ temperature: 1, uniform: 1 }])).toThrow(/uniform/);
      expect(() => fusedReadTokens(logits, [])).toThrow(/float64 \[1, 3\]/);
      expect(() => fusedReadTokens(tensor([[0, 1]], { dtype: 'float64' }), [{ id: 0 }])).toThrow(/float32/);
    });
  });
});
