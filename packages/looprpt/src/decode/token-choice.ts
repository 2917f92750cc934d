/**
 * Tokens from the logits of rows that leave: each sequence's own choice; for prompts that are scored, the token that is known to
 * follow.
 *
 * Where nothing changes a row's logits and nothing is cut, the draw is made where the logits lie: on the CPU by a fused operator,
 * elsewhere from the probabilities of those rows. Both make the same choice, but for the last bits of a boundary.
 *
 * Shapes: M rows that are read, V vocabulary, C alternatives.
 */
import { fusable, fusedReadTokens, type Tensor, tensor, type WantedToken } from '@looprpt/engine';
import { atIds, logProbsOf } from '../model/read-out.js';
import { drawToken, type Weighed } from './draw.js';
import type { LogProb, ReadToken } from './request.js';
import type { Sequence } from './sequence.js';

export interface ReadOutRow {
  sequence: Sequence;
  /** From 1. */
  loop: number;
}

/** @param logitsMV of the rows, any floating dtype */
export function chooseTokens(rows: readonly ReadOutRow[], logitsMV: Tensor): ReadToken[] {
  const wideMV = wide(logitsMV);
  const drawn = drawAlone(rows, wideMV);
  const wanted = rows.map(({ sequence }, m): WantedToken => {
    const id = sequence.settled ?? drawn.get(m);
    return id === undefined ? sequence.sampler.plainDraw() : { id };
  });
  return read(
    rows.map(({ sequence, loop }, m) => ({ wanted: wanted[m]!, loop, top: sequence.request.topLogProbs ?? 0 })),
    wideMV,
  );
}

/**
 * What the model thinks of tokens that are known.
 * @param rows the token that follows each, the loop that it is read out at, and how many of the likeliest are wanted
 * @param logitsMV any floating dtype
 */
export function readTokens(rows: readonly { id: number; loop: number; top: number }[], logitsMV: Tensor): ReadToken[] {
  return read(
    rows.map(({ id, loop, top }) => ({ wanted: { id }, loop, top })),
    wide(logitsMV),
  );
}

interface Wanted {
  wanted: WantedToken;
  loop: number;
  /** How many of the likeliest. */
  top: number;
}

function read(rows: readonly Wanted[], logitsMV: Tensor): ReadToken[] {
  const wanted = rows.map((row) => row.wanted);
  const numbers = fusable(logitsMV) ? fusedReadTokens(logitsMV, wanted) : plainReadTokens(logitsMV, wanted);
  // Of logits that are no numbers no id is the likeliest; the log-probability says so, whatever id stands there.
  const tokens = rows.map((_, m): LogProb => ({ id: Math.max(0, numbers[2 * m]!), logProb: numbers[2 * m + 1]! }));
  const tops = likeliest(
    rows.map(({ top }) => top),
    logitsMV,
    tokens,
  );
  return rows.map(({ loop }, m) => ({ ...tokens[m]!, loop, top: tops[m]! }));
}

/** `fusedReadTokens` by operators of any device. */
export function plainReadTokens(logitsMV: Tensor, wanted: readonly WantedToken[]): Float64Array {
  const isDraw = (token: WantedToken): boolean => !('id' in token) && token.temperature > 0;
  const draws = [...wanted.keys()].filter((m) => isDraw(wanted[m]!));
  const isGreedy = (token: WantedToken): boolean => !('id' in token) && token.temperature === 0;
  const greedyM = wanted.some(isGreedy) ? logitsMV.argmax(-1).toNumbers() : null;
  const temperatures = draws.map((m) => (wanted[m] as { temperature: number }).temperature);
  const weighed = draws.length > 0 ? weighedRows(temperatures, rowsOf(logitsMV, draws)) : null;
  const ids = wanted.map((token, m) => {
    if ('id' in token) return token.id;
    if (token.temperature === 0) return greedyM![m]!;
    const { uniform } = token;
    return drawToken(weighed!(draws.indexOf(m)), UNCUT, uniform);
  });
  const logProbs = logitsOf(
    ids.map((id) => ({ id })),
    logProbsOf(logitsMV),
  );
  return Float64Array.from({ length: 2 * ids.length }, (_, i) => (i % 2 === 0 ? ids : logProbs)[i >> 1]!);
}

const UNCUT = { topK: 0, topP: 1, minP: 0 } as const;

/** The choices of the sequences that change or cut what the model says, by row. */
function drawAlone(rows: readonly ReadOutRow[], logitsMV: Tensor): Map<number, number> {
  const alone = [...rows.keys()].filter((m) => {
    const { sequence } = rows[m]!;
    return sequence.settled === undefined && !sequence.sampler.drawsPlainly;
  });
  if (alone.length === 0) return new Map();
  const temperatures = alone.map((m) => rows[m]!.sequence.sampler.temperature);
  const weighed = weighedRows(temperatures, rowsOf(logitsMV, alone));
  return new Map(alone.map((m, i) => [m, rows[m]!.sequence.sampler.draw(weighed(i), rows[m]!.sequence.ids)]));
}

function wide(logitsMV: Tensor): Tensor {
  return logitsMV.dtype === 'float32' ? logitsMV : logitsMV.to({ dtype: 'float32' });
}

function rowsOf(logitsMV: Tensor, which: readonly number[]): Tensor {
  if (which.length === logitsMV.size(0)) return logitsMV;
  return logitsMV.indexSelect(0, tensor([...which], { dtype: 'int64', device: logitsMV.device }));
}

/** By row the logits and, at its temperature, the probabilities. */
function weighedRows(temperatures: readonly number[], logitsMV: Tensor): (m: number) => Weighed {
  const V = logitsMV.size(1);
  const temperatureM1 = tensor([...temperatures], { device: logitsMV.device }).unsqueeze(-1);
  const logits = logitsMV.toTyped() as Float32Array;
  const weights = logitsMV.div(temperatureM1).softmax(-1).toTyped() as Float32Array;
  const row = (values: Float32Array, m: number): Float32Array => values.subarray(m * V, (m + 1) * V);
  return (m) => ({ logitsV: row(logits, m), weightsV: row(weights, m) });
}

/** By row so many of the likeliest ids, likeliest first. @param tokens the row's own, whose number is not computed a second time */
function likeliest(counts: readonly number[], logitsMV: Tensor, tokens: readonly LogProb[]): LogProb[][] {
  const most = Math.min(Math.max(...counts), logitsMV.size(1));
  if (most === 0) return counts.map(() => []);
  const [valuesMC, idsMC] = logitsMV.topk(most);
  const [values, ids, own] = [valuesMC.toNumbers(), idsMC.toNumbers(), logitsOf(tokens, logitsMV)];
  return counts.map((count, m) =>
    Array.from({ length: Math.min(count, most) }, (_, c) => {
      const [id, value] = [ids[m * most + c]!, values[m * most + c]!];
      const token = tokens[m]!;
      return { id, logProb: id === token.id ? token.logProb : value - own[m]! + token.logProb };
    }),
  );
}

/** By row what one of its ids has. */
function logitsOf(tokens: readonly { id: number }[], valuesMV: Tensor): Float64Array {
  const ids = tokens.map(({ id }) => id);
  return atIds(valuesMV, tensor(ids, { dtype: 'int64', device: valuesMV.device })).toNumbers();
}
