/** Greedy decoding with a cache by the model's own forward pass, in the plainest form, for tests. Steps count from 0. */
import { noGrad, scope, tensor } from '@looprpt/engine';
import { KVCache } from 'looprpt/internal/model/kv-cache.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';
import { type ExitChoice, exitLogits } from './upstream-exit.js';

export interface Decoded {
  /** [b][n] each */
  tokens: number[][];
  chosenLogits: number[][];
  exitSteps: number[][];
}

export interface DecodeOptions {
  newTokens: number;
  choice: ExitChoice;
  /** Sizes of the passes in which the prompt is read; default: one. */
  chunks?: number[];
  /** Padding before each row's prompt; default none. */
  padding?: number[];
}

export function greedy(model: LoopLM, prompt: readonly number[][], options: DecodeOptions): Decoded {
  const { newTokens, choice, chunks = [prompt[0]!.length], padding = prompt.map(() => 0) } = options;
  const decoded: Decoded = {
    tokens: prompt.map(() => []),
    chosenLogits: prompt.map(() => []),
    exitSteps: prompt.map(() => []),
  };
  const { dtype, device } = model;
  using cache = new KVCache(model.config, {
    batch: prompt.length,
    capacity: prompt[0]!.length + newTokens,
    dtype,
    device,
  });
  const read = (ids: number[][]): number[][] =>
    noGrad(() =>
      scope(() => {
        const places = ids[0]!.map((_, t) => cache.length + t);
        const int64 = { dtype: 'int64' } as const;
        const states = model.states(
          {
            idsBT: tensor(ids, int64),
            positionsBT: tensor(
              padding.map((pad) => places.map((place) => (place < pad ? 1 : place - pad))),
              int64,
            ),
            firstKeyBT: padding.some((pad) => pad > 0)
              ? tensor(
                  padding.map((pad) => places.map(() => pad)),
                  int64,
                )
              : null,
          },
          { cache },
        );
        const last = states.map((hiddenBTE) => hiddenBTE.slice(1, -1, hiddenBTE.size(1)));
        const { logitsBTV, stepBT } = exitLogits(model, last, choice);
        const logitsBV = logitsBTV.select(1, 0);
        const tokens = logitsBV.argmax(-1).toArray<number[]>();
        append(decoded.tokens, tokens);
        append(decoded.chosenLogits, logitsBV.amax(-1).toArray<number[]>());
        if (stepBT) append(decoded.exitSteps, stepBT.select(1, 0).toArray<number[]>());
        return tokens.map((token) => [token]);
      }),
    );
  let at = 0;
  chunks.slice(0, -1).forEach((size) => {
    fillCache(
      model,
      cache,
      prompt.map((row) => row.slice(at, at + size)),
    );
    at += size;
  });
  let next = read(prompt.map((row) => row.slice(at)));
  for (let n = 1; n < newTokens; n++) next = read(next);
  return decoded;
}

function append(rows: number[][], column: readonly number[]): void {
  for (const [b, value] of column.entries()) rows[b]!.push(value);
}

function fillCache(model: LoopLM, cache: KVCache, ids: number[][]): void {
  noGrad(() => scope(() => void model.states({ idsBT: tensor(ids, { dtype: 'int64' }) }, { cache })));
}
