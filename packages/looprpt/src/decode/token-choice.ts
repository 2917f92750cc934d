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
import { type Drawn, drawToken, type Weighed } from './draw.js';
import type { LogProb, ReadToken } from './request.js';
import type { Sequence } from './sequence.js';

export interface ReadOutRow {
  sequence: Pick<Sequence, 'sampler' | 'settledAt' | 'idsBefore'>;
  /** Of the token that is read off: tokens of prompt and text before it. */
  place: number;
  /** From 1. */
  loop: number;
  /** How many of the likeliest. */
  top: number;
}

/** A token, and by how much it beat the next one (`Drawn.margin`). */
export interface Choice {
  token: ReadToken;
  margin: number;
}

/** @param logitsMV of the rows, any floating dtype */
export function chooseTokens(rows: readonly ReadOutRow[], logitsMV: Tensor): Choice[] {
  const wideMV = wide(logitsMV);
  const drawn = drawAlone(rows, wideMV);
  const wanted = rows.map(({ sequence, place }, m): WantedToken => {
    const id = sequence.settledAt(place) ?? drawn.get(m)?.id;
    return id === undefined ? sequence.sampler.plainDraw(place) : { id };
  });
  const choices = readWanted(rows, wanted, wideMV);
  for (const [m, { margin }] of drawn) choices[m]!.margin = margin;
  return choices;
}

/**
 * What the model thinks of tokens that are known.
 * @param rows the token that follows each, the loop that it is read out at, and how many of the likeliest are wanted
 * @param logitsMV any floating dtype
 */
export function readTokens(rows: readonly { id: number; loop: number; top: number }[], logitsMV: Tensor): ReadToken[] {
  return readWanted(rows, rows, wide(logitsMV)).map(({ token }) => token);
}

function readWanted(
  rows: readonly Pick<ReadOutRow, 'loop' | 'top'>[],
  wanted: readonly WantedToken[],
  logitsMV: Tensor,
): Choice[] {
  const numbers = fusable(logitsMV) ? fusedReadTokens(logitsMV, wanted) : plainReadTokens(logitsMV, wanted);
  // Of logits that are no numbers no id is the likeliest; the log-probability says so, whatever id stands there.
  const choices = rows.map(
    ({ loop }, m): Choice => ({
      token: { id: Math.max(0, numbers[3 * m]!), logProb: numbers[3 * m + 1]!, loop, top: [] },
      margin: numbers[3 * m + 2]!,
    }),
  );
  const tops = rows.map(({ top }) => top);
  if (tops.every((count) => count === 0)) return choices;
  for (const [m, top] of likeliest(tops, logitsMV, choices).entries()) choices[m]!.token.top = top;
  return choices;
}

/** `fusedReadTokens` by operators of any device. */
export function plainReadTokens(logitsMV: Tensor, wanted: readonly WantedToken[]): Float64Array {
  const draws = [...wanted.keys()].filter((m) => temperatureOf(wanted[m]!) > 0);
  const temperatures = draws.map((m) => temperatureOf(wanted[m]!));
  const weighed = draws.length > 0 ? weighedRows(temperatures, rowsOf(logitsMV, draws)) : null;
  const greedyM = wanted.some((token) => temperatureOf(token) === 0) ? greedy(logitsMV) : null;
  const drawn = wanted.map((token, m): Drawn => {
    if ('id' in token) return { id: token.id, margin: Number.POSITIVE_INFINITY };
    return token.temperature === 0 ? greedyM![m]! : drawToken(weighed!(draws.indexOf(m)), UNCUT, token.key);
  });
  const logProbs = logitsOf(drawn, logProbsOf(logitsMV));
  return Float64Array.from(drawn.flatMap(({ id, margin }, m) => [id, logProbs[m]!, margin]));
}

/** NaN for a token that is known. */
function temperatureOf(token: WantedToken): number {
  return 'id' in token ? Number.NaN : token.temperature;
}

function greedy(logitsMV: Tensor): Drawn[] {
  const V = logitsMV.size(1);
  const ids = logitsMV.argmax(-1).toNumbers();
  const twoM2 = V > 1 ? logitsMV.topk(2)[0].toNumbers() : null;
  return Array.from(ids, (id, m) => ({
    id,
    margin: twoM2 === null ? Number.POSITIVE_INFINITY : twoM2[2 * m]! - twoM2[2 * m + 1]!,
  }));
}

const UNCUT = { topK: 0, topP: 1, minP: 0 } as const;

/** The choices of the sequences that change or cut what the model says, by row. */
function drawAlone(rows: readonly ReadOutRow[], logitsMV: Tensor): Map<number, Drawn> {
  const alone = [...rows.keys()].filter((m) => {
    const { sequence, place } = rows[m]!;
    return sequence.settledAt(place) === undefined && !sequence.sampler.drawsPlainly(place);
  });
  if (alone.length === 0) return new Map();
  const temperatures = alone.map((m) => rows[m]!.sequence.sampler.temperature);
  const weighed = weighedRows(temperatures, rowsOf(logitsMV, alone));
  return new Map(
    alone.map((m, i) => {
      const { sequence, place } = rows[m]!;
      return [m, sequence.sampler.draw(weighed(i), sequence.idsBefore(place))];
    }),
  );
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

/** By row so many of the likeliest ids, likeliest first. @param choices the row's own, whose number is not computed a second time */
function likeliest(counts: readonly number[], logitsMV: Tensor, choices: readonly Choice[]): LogProb[][] {
  const most = Math.min(Math.max(...counts), logitsMV.size(1));
  const tokens = choices.map(({ token }) => token);
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
