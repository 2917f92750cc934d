/**
 * What the objectives read from a pass: per position, the log-probability of the true next token at every loop and the
 * exit distribution. Also the batch type that all slow objectives take.
 *
 * Index letters: k loop, b row, s position.
 */
import { exitPdf } from './slow-exit.js';
import type { SlowConfig, SlowInput, SlowParams, SlowPass } from './slow-loop-lm.js';
import { gateLogit, headLogits, logSoftmax } from './slow-loop-lm.js';

/** Marks positions that no loss counts: padding, prompts, the end of a document. */
export const UNCOUNTED = -100;

export interface SlowBatch extends SlowInput {
  /** [b][s] the id of the token that follows position s, or UNCOUNTED. Not shifted any further. */
  targets: number[][];
}

export interface Place {
  row: number;
  position: number;
}

/** Targets from labels aligned with the ids (as upstream takes them): position s is to predict labels[s + 1]. */
export function targetsFromLabels(labels: readonly number[][]): number[][] {
  return labels.map((row) => [...row.slice(1), UNCOUNTED]);
}

export function countedPlaces(batch: SlowBatch): Place[] {
  return batch.targets.flatMap((targets, row) =>
    targets.flatMap((target, position) => (target === UNCOUNTED ? [] : [{ row, position }])),
  );
}

export function targetAt(batch: SlowBatch, { row, position }: Place): number {
  return batch.targets[row]![position]!;
}

/** The K states [k][e] of one position. */
export function statesAt(pass: SlowPass, { row, position }: Place): number[][] {
  return pass.hidden.map((hidden) => hidden[row]![position]!);
}

/** ℓ^(k): log-probability of `target` at every loop, from the states [k][e] of one position. */
export function targetLogProbs(
  config: SlowConfig,
  params: SlowParams,
  states: readonly number[][],
  target: number,
): number[] {
  return states.map((hidden) => logSoftmax(headLogits(config, params, hidden))[target]!);
}

/** π(k) from the states [k][e] of one position, read by the gate in `params`. */
export function exitPdfOf(params: SlowParams, states: readonly number[][]): number[] {
  return exitPdf(states.map((hidden) => gateLogit(params, hidden)));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
