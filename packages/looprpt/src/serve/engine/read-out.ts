/**
 * Tokens from states: logits of those rows that leave, and each sequence's own choice among them.
 *
 * Shapes: N rows of the pass, M rows that are read, E hidden, V vocabulary.
 */
import { type Tensor, tensor } from '@looprpt/engine';
import type { Weighed } from './draw.js';
import type { Choice, LogProb, Sequence } from './request.js';

export interface ReadOutRow {
  sequence: Sequence;
  /** From 1. */
  loop: number;
}

/** @param logitsMV of the rows, any floating dtype */
export function chooseTokens(rows: readonly ReadOutRow[], logitsMV: Tensor): Choice[] {
  const wideMV = logitsMV.dtype === 'float32' ? logitsMV : logitsMV.to({ dtype: 'float32' });
  const greedyM = rows.some(({ sequence }) => sequence.isGreedy) ? wideMV.argmax(-1).toNumbers() : null;
  const drawnM = rows.every(({ sequence }) => sequence.isGreedy) ? null : weighedRows(rows, wideMV);
  const ids = rows.map(({ sequence }, m) => (sequence.isGreedy ? greedyM![m]! : sequence.draw(drawnM!(m))));
  const idsM1 = tensor(ids, { dtype: 'int64', device: wideMV.device }).unsqueeze(-1);
  const logProbsMV = wideMV.logSoftmax(-1);
  const logProbs = logProbsMV.gather(-1, idsM1).toNumbers();
  return rows.map(({ sequence, loop }, m) => ({
    ...{ id: ids[m]!, loop, logProb: logProbs[m]! },
    top: topOf(logProbsMV, m, sequence.request.topLogProbs ?? 0),
  }));
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

function topOf(logProbsMV: Tensor, m: number, count: number): LogProb[] {
  if (count === 0) return [];
  const [values, ids] = logProbsMV.select(0, m).topk(Math.min(count, logProbsMV.size(1)));
  const logProbs = values.toNumbers();
  return Array.from(ids.toNumbers(), (id, i) => ({ id, logProb: logProbs[i]! }));
}
