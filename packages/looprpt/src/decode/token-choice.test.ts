import { fusedReadTokens, getThreads, scope, setThreads, type Tensor, tensor, type WantedToken } from '@looprpt/engine';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logitsOf, logitsShape } from '../../test-support/logits.js';
import { noiseOfKey, sample } from '../../test-support/slow/slow-sampling.js';
import { random } from '../../test-support/slow/tiny-model.js';
import { Rng } from '../base/rng.js';
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
        stream: fc.nat(9999),
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
              ({ wanted, seed }): WantedToken =>
                wanted === 'known'
                  ? { id: seed % V }
                  : { temperature: wanted.temperature, key: Rng.fromSeed(wanted.stream).key },
            );
            const table = Float32Array.from(logits.flatMap((row) => [...row]));
            const numbers = read(tensor(table, { shape: [rows.length, V] }), wanted);
            wanted.forEach((token, m) => {
              const [id, logProb, margin] = numbers.subarray(3 * m);
              const stream = (rows[m]!.wanted as { stream?: number }).stream ?? 0;
              const expected =
                'id' in token
                  ? { id: token.id, margin: Number.POSITIVE_INFINITY }
                  : sample(
                      logits[m]!,
                      { temperature: token.temperature, ...UNCUT },
                      [],
                      noiseOfKey(Rng.fromSeed(stream), V),
                    );
              // Weights are rounded to float32: what is as good as equal may be drawn either way, at 0 the lowest id.
              const isGreedy = 'temperature' in token && token.temperature === 0;
              if (isGreedy || expected.margin > 1e-4) expect(id).toBe(expected.id);
              if (!Number.isFinite(expected.margin)) expect(margin).toBe(Number.POSITIVE_INFINITY);
              // What is less likely by more has no weight in float32.
              else if (isGreedy || expected.margin < 60) expect(margin).toBeCloseTo(expected.margin, 2);
              const known = logProbOf(logits[m]!, id!);
              if (known === Number.NEGATIVE_INFINITY) expect(logProb).toBe(known);
              else expect(Math.abs(logProb! - known)).toBeLessThan(1e-5 * (1 + Math.abs(known)));
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
      const wanted = Array.from({ length: M }, (_, m) => ({
        temperature: 0.7,
        key: [Math.floor(2 ** 32 * numbers.uniform()), m] as const,
      }));
      const [one, three] = [1, 3].map((threads) => {
        setThreads(threads);
        return fusedReadTokens(tensor(logits, { shape: [M, V] }), wanted);
      });
      expect(three).toEqual(one);
      for (let m = 0; m < M; m++) {
        const alone = fusedReadTokens(tensor(logits.slice(m * V, (m + 1) * V), { shape: [1, V] }), [wanted[m]!]);
        expect(alone).toEqual(one!.slice(3 * m, 3 * m + 3));
      }
    });
    setThreads(before);
  });

  it('draws every id as often as its probability says', () => {
    scope(() => {
      const logits = Float32Array.of(0, 1, Number.NEGATIVE_INFINITY, 2, -1);
      const draws = 40_000;
      const table = Float32Array.from({ length: draws * 5 }, (_, i) => logits[i % 5]!);
      const wanted = Array.from({ length: draws }, (_, n) => ({ temperature: 2, key: [n, 5] as const }));
      const drawn = fusedReadTokens(tensor(table, { shape: [draws, 5] }), wanted).filter((_, i) => i % 3 === 0);
      const weights = [...logits].map((logit) => Math.exp(logit / 2));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      weights.forEach((weight, id) => {
        expect(drawn.filter((one) => one === id).length / draws).toBeCloseTo(weight / total, 2);
      });
    });
  });

  it('refuses what cannot be drawn', () => {
    scope(() => {
      const logits = tensor([[0, 1, 2]]);
      expect(() => fusedReadTokens(logits, [{ id: 3 }])).toThrow(/row 0: no such id/);
      expect(() => fusedReadTokens(logits, [{ temperature: 1, key: [2 ** 32, 0] }])).toThrow(/key/);
      expect(() => fusedReadTokens(logits, [])).toThrow(/float64 \[1, 4\]/);
      expect(() => fusedReadTokens(tensor([[0, 1]], { dtype: 'float64' }), [{ id: 0 }])).toThrow(/float32/);
    });
  });
});
