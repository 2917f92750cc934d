/**
 * Tokens from states: logits of those rows that leave, and each sequence's own choice among them; for prompts that are scored, the
 * token that is known to follow.
 *
 * Shapes: M rows that are read, V vocabulary, C alternatives.
 */
import { type Tensor, tensor } from '@looprpt/engine';
import type { Weighed } from './draw.js';
import type { LogProb, ReadToken, Sequence } from './request.js';

export interface ReadOutRow {
  sequence: Sequence;
  /** From 1. */
  loop: number;
}

/** @param logitsMV of the rows, any floating dtype */
export function chooseTokens(rows: readonly ReadOutRow[], logitsMV: Tensor): ReadToken[] {
  const wideMV = wide(logitsMV);
  const greedyM = rows.some(({ sequence }) => sequence.isGreedy) ? wideMV.argmax(-1).toNumbers() : null;
  const drawnM = rows.every(({ sequence }) => sequence.isGreedy) ? null : weighedRows(rows, wideMV);
  const ids = rows.map(
    ({ sequence }, m) => sequence.settled ?? (sequence.isGreedy ? greedyM![m]! : sequence.draw(drawnM!(m))),
  );
  return readTokens(
    rows.map(({ sequence, loop }, m) => ({ id: ids[m]!, loop, top: sequence.request.topLogProbs ?? 0 })),
    wideMV,
  );
}

/**
 * What the model thinks of tokens that are known.
 * @param rows the token that follows each, the loop that it is read out at, and how many of the likeliest are wanted
 * @param logitsMV any floating dtype
 */
export function readTokens(rows: readonly { id: number; loop: number; top: number }[], logitsMV: Tensor): ReadToken[] {
  const logProbsMV = wide(logitsMV).logSoftmax(-1);
  const idsM1 = tensor(
    rows.map(({ id }) => [id]),
    { dtype: 'int64', device: logProbsMV.device },
  );
  const logProbs = logProbsMV.gather(-1, idsM1).toNumbers();
  const tops = likeliest(
    rows.map(({ top }) => top),
    logProbsMV,
  );
  return rows.map(({ id, loop }, m) => ({ id, loop, logProb: logProbs[m]!, top: tops[m]! }));
}

function wide(logitsMV: Tensor): Tensor {
  return logitsMV.dtype === 'float32' ? logitsMV : logitsMV.to({ dtype: 'float32' });
}

/** By row the logits and, at its sequence's temperature, the probabilities. */
function weighedRows(rows: readonly ReadOutRow[], logitsMV: Tensor): (m: number) => Weighed {
  const V = logitsMV.size(1);
  const temperatures = rows.map(({ sequence }) => [sequence.temperature]);
  const temperatureM1 = tensor(temperatures, { device: logitsMV.device });
  const logits = logitsMV.toTyped() as Float32Array;
  const weights = logitsMV.div(temperatureM1).softmax(-1).toTyped() as Float32Array;
  const row = (values: Float32Array, m: number): Float32Array => values.subarray(m * V, (m + 1) * V);
  return (m) => ({ logitsV: row(logits, m), weightsV: row(weights, m) });
}

/** By row so many of the likeliest ids, likeliest first. */
function likeliest(counts: readonly number[], logProbsMV: Tensor): LogProb[][] {
  const most = Math.min(Math.max(...counts), logProbsMV.size(1));
  if (most === 0) return counts.map(() => []);
  const [valuesMC, idsMC] = logProbsMV.topk(most);
  const logProbs = valuesMC.toNumbers();
  const ids = idsMC.toNumbers();
  return counts.map((count, m) =>
    Array.from({ length: Math.min(count, most) }, (_, c) => ({
      id: ids[m * most + c]!,
      logProb: logProbs[m * most + c]!,
    })),
  );
}
