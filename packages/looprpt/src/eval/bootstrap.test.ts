import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomPair } from '../../test-support/random-table.js';
import { Rng } from '../base/rng.js';
import { areaUnder } from './area.js';
import { type NamedTable, pairedBootstrap } from './bootstrap.js';
import { scorePerLoop } from './per-loop.js';
import { ComparisonResultSchema } from './result.js';
import { thresholdSettings } from './rule-curves.js';
import { scoreAt } from './score.js';
import { exitsBySignal } from './thresholds.js';
import { selectTokens, type TokenTable } from './token-table.js';

const several = (pair: [TokenTable, TokenTable]) => new Set(pair[0].sequence).size > 1;

describe('paired bootstrap', () => {
  it('equals resampling the tokens themselves', () => {
    fc.assert(
      fc.property(randomPair().filter(several), fc.integer({ min: 0, max: 9 }), ([a, b], seed) => {
        const resamples = 7;
        const results = pairedBootstrap(
          { name: 'a', table: a },
          { name: 'b', table: b },
          { resamples, seed, points: 5, fewest: 2 },
        );

        const settings = [a, b].map((table) => thresholdSettings(table, 'gate', 5).map(({ setting }) => setting));
        const metrics = (table: TokenTable, model: number) => {
          const curve = settings[model]!.map((tau) => scoreAt(table, exitsBySignal(table.exitCdf, tau)));
          const perLoop = scorePerLoop(table);
          return [
            ...perLoop.map(({ accuracy }) => accuracy),
            ...perLoop.map(({ crossEntropy }) => crossEntropy),
            areaUnder(curve, table.loops),
          ];
        };
        const sequences = [...new Set(a.sequence)];
        const rng = Rng.fromSeed(seed);
        const draws = Array.from({ length: resamples }, () => {
          const tokens = sequences.flatMap(() => {
            const sequence = sequences[rng.below(sequences.length)]!;
            return [...a.sequence.keys()].filter((n) => a.sequence[n] === sequence);
          });
          const other = metrics(selectTokens(b, tokens), 1);
          return metrics(selectTokens(a, tokens), 0).map((value, i) => value - other[i]!);
        });
        const whole = metrics(b, 1);
        metrics(a, 0).forEach((value, i) => {
          const sorted = draws.map((draw) => draw[i]!).toSorted((x, y) => x - y);
          expect(results[i]!.delta).toBeCloseTo(value - whole[i]!, 9);
          // 2.5 % of the way through 7 order statistics: 0.15 of the first step.
          expect(results[i]!.low).toBeCloseTo(sorted[0]! + 0.15 * (sorted[1]! - sorted[0]!), 9);
          expect(results[i]!.high).toBeCloseTo(sorted[6]! - 0.15 * (sorted[6]! - sorted[5]!), 9);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('has intervals that cover the truth about as often as they say', () => {
    // 60 sequences of tokens that are right with 0.7 under one model and 0.6 under the other; true difference 0.1.
    const tableWith = (right: boolean[], sequence: Int32Array): TokenTable => {
      const zeros = () => [new Float32Array(right.length)];
      return {
        tokens: right.length,
        loops: 1,
        logProb: zeros(),
        entropy: zeros(),
        confidence: zeros(),
        hiddenChange: zeros(),
        gateLogit: zeros(),
        exitCdf: zeros(),
        correct: [Uint8Array.from(right, Number)],
        prediction: [new Int32Array(right.length)],
        sequence,
        document: sequence,
        context: new Int32Array(right.length),
      };
    };
    const sequence = Int32Array.from({ length: 300 }, (_, n) => Math.floor(n / 5));
    let covered = 0;
    for (let trial = 0; trial < 200; trial++) {
      const rng = Rng.fromSeed(trial);
      const [a, b] = [0.7, 0.6].map((p) =>
        tableWith(
          Array.from(sequence, () => rng.chance(p)),
          sequence,
        ),
      );
      const [accuracy] = pairedBootstrap(
        { name: 'a', table: a! },
        { name: 'b', table: b! },
        { resamples: 200, level: 0.9 },
      );
      if (accuracy!.low! <= 0.1 && 0.1 <= accuracy!.high!) covered++;
    }
    expect(covered / 200).toBeGreaterThan(0.82);
    expect(covered / 200).toBeLessThan(0.96);
  });

  it('names what it compared', () => {
    const [pair] = fc.sample(randomPair().filter(several), { numRuns: 1, seed: 1 });
    const [a, b] = pair!;
    const named = { a: { name: 'ours', table: a }, b: { name: 'base', table: b } };
    const results = pairedBootstrap(named.a, named.b, { resamples: 3, suffix: ' (hard)', fewest: 2 });
    expect(results.map(({ metric }) => metric).slice(-2)).toEqual(['area (hard)', 'frontier (hard)']);
    expect(results[0]).toMatchObject({ a: 'ours', b: 'base', metric: 'accuracy@1 (hard)', level: 0.95, resamples: 3 });
  });

  it('counts documents, not the pieces of them, and gives no interval from fewer than 20', () => {
    const [pair] = fc.sample(randomPair(), { numRuns: 1, seed: 3 });
    const of = (documents: number) =>
      pair!.map((table, i) => ({
        name: 'ab'[i]!,
        table: { ...table, document: Int32Array.from({ length: table.tokens }, (_, n) => 7 * (n % documents)) },
      })) as [NamedTable, NamedTable];
    const tokens = pair![0].tokens;
    expect(tokens).toBeGreaterThan(20);
    for (const documents of [1, 2, 19])
      for (const result of pairedBootstrap(...of(documents), { resamples: 3 })) {
        expect(result).toMatchObject({ low: null, high: null, documents, resamples: 0 });
        expect(result.reason).toContain(`from ${documents} document`);
        expect(result.reason).toContain('at least 20');
        expect(ComparisonResultSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
      }
    const enough = pairedBootstrap(...of(20), { resamples: 3 });
    expect(enough[0]).toMatchObject({ documents: 20, low: expect.any(Number), high: expect.any(Number) });
    expect(enough[0]!.reason).toBeUndefined();
    expect(pairedBootstrap(...of(2), {}).map(({ delta }) => delta)).toEqual(
      pairedBootstrap(...of(20), {}).map(({ delta }) => expect.closeTo(delta, 12)),
    );
  });
});
