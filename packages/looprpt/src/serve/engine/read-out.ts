/**
 * Tokens from states: logits of those rows that leave, and each sequence's own choice among them.
 *
 * Shapes: N rows of the pass, M rows that are read, E hidden, V vocabulary.
 */
import { type Tensor, tensor } from '@looprpt/engine';
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
  const drawn = rows.some(({ sequence }) => !sequence.isGreedy) ? (wideMV.toTyped() as Float32Array) : null;
  const V = wideMV.size(1);
  const ids = rows.map(({ sequence }, m) =>
    sequence.isGreedy ? greedyM![m]! : sequence.draw(drawn!.subarray(m * V, (m + 1) * V)),
  );
  const idsM1 = tensor(ids, { dtype: 'int64', device: wideMV.device }).unsqueeze(-1);
  const logProbsMV = wideMV.logSoftmax(-1);
  const logProbs = logProbsMV.gather(-1, idsM1).toNumbers();
  return rows.map(({ sequence, loop }, m) => ({
    ...{ id: ids[m]!, loop, logProb: logProbs[m]! },
    top: topOf(logProbsMV, m, sequence.request.topLogProbs ?? 0),
  }));
}

function topOf(logProbsMV: Tensor, m: number, count: number): LogProb[] {
  if (count === 0) return [];
  const [values, ids] = logProbsMV.select(0, m).topk(Math.min(count, logProbsMV.size(1)));
  const logProbs = values.toNumbers();
  return Array.from(ids.toNumbers(), (id, i) => ({ id, logProb: logProbs[i]! }));
}
