/** Token tables of random numbers for property tests. Never imported by the product. */
import fc from 'fast-check';
import type { TokenTable } from 'looprpt/internal/eval/token-table.js';
import { exitCdf, exitPdf } from './slow/slow-exit.js';

/** One token: what the model says at each of K loops. Few distinct values, so that ties are common. */
const tokenArbitrary = (loops: number) =>
  fc.record({
    readouts: fc.array(
      fc.record({
        logProb: fc.integer({ min: -12, max: 0 }).map((x) => x / 4),
        prediction: fc.integer({ min: 0, max: 3 }),
        entropy: fc.integer({ min: 0, max: 8 }).map((x) => x / 4),
        confidence: fc.integer({ min: 0, max: 8 }).map((x) => x / 8),
        hiddenChange: fc.integer({ min: 0, max: 10 }).map((x) => x / 8),
        gateLogit: fc.integer({ min: -6, max: 6 }),
      }),
      { minLength: loops, maxLength: loops },
    ),
    target: fc.integer({ min: 0, max: 3 }),
    newSequence: fc.boolean(),
    context: fc.integer({ min: 1, max: 50 }),
  });

export type RandomToken = ReturnType<typeof tokenArbitrary> extends fc.Arbitrary<infer T> ? T : never;

/** Rows of one token each, the shape that slow versions of the metrics like best. */
export function tableOf(tokens: readonly RandomToken[], loops: number): TokenTable {
  const cdfs = tokens.map(({ readouts }) => exitCdf(exitPdf(readouts.map(({ gateLogit }) => gateLogit))));
  const column = (value: (token: RandomToken, k: number, n: number) => number): Float32Array[] =>
    Array.from({ length: loops }, (_, k) => Float32Array.from(tokens, (token, n) => value(token, k, n)));
  const read = (name: 'logProb' | 'entropy' | 'confidence' | 'hiddenChange' | 'gateLogit'): Float32Array[] =>
    column(({ readouts }, k) => readouts[k]![name]);
  let number = 0;
  const sequence = Int32Array.from(tokens, ({ newSequence }, n) => {
    if (n > 0 && newSequence) number++;
    return number;
  });
  return {
    tokens: tokens.length,
    loops,
    logProb: read('logProb'),
    entropy: read('entropy'),
    confidence: read('confidence'),
    hiddenChange: read('hiddenChange'),
    gateLogit: read('gateLogit'),
    exitCdf: column((_, k, n) => cdfs[n]![k]!),
    prediction: column(({ readouts }, k) => readouts[k]!.prediction).map((c) => Int32Array.from(c)),
    correct: column(({ readouts, target }, k) => (readouts[k]!.prediction === target ? 1 : 0)).map((c) =>
      Uint8Array.from(c),
    ),
    sequence,
    document: sequence,
    context: Int32Array.from(tokens, ({ context }) => context),
  };
}

export const randomTable = ({ minTokens = 1, minLoops = 1 } = {}): fc.Arbitrary<TokenTable> =>
  fc
    .integer({ min: minLoops, max: 5 })
    .chain((loops) =>
      fc.array(tokenArbitrary(loops), { minLength: minTokens, maxLength: 40 }).map((tokens) => tableOf(tokens, loops)),
    );

/** Two models over the same tokens. */
export const randomPair = (): fc.Arbitrary<[TokenTable, TokenTable]> =>
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 6, max: 40 })).chain(([loops, length]) => {
    const tokens = fc.array(tokenArbitrary(loops), { minLength: length, maxLength: length });
    return fc.tuple(tokens, tokens).map(([left, right]): [TokenTable, TokenTable] => {
      const a = tableOf(left, loops);
      return [a, { ...tableOf(right, loops), sequence: a.sequence, document: a.document, context: a.context }];
    });
  });
