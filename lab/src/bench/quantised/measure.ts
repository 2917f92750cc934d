/** One model's tokens in other numbers than float32: how often it is right, and what that is less. */
import assert from 'node:assert/strict';
import { type NamedTable, pairedBootstrap } from 'looprpt/internal/eval/bootstrap.js';
import { exitsAt, scoreAt } from 'looprpt/internal/eval/score.js';
import { exitsBySignal } from 'looprpt/internal/eval/thresholds.js';
import type { TokenTable } from 'looprpt/internal/eval/token-table.js';

/** The threshold of the gate at which exits are compared. */
export const TAU = 0.5;

/** Shares; `perplexity` and `difference` are after the last loop. */
export interface Measured {
  weights: string;
  /** After each loop. */
  accuracy: number[];
  perplexity: number;
  /** Share of tokens that leave at the reference's loop; null of the reference itself, as is the difference. */
  sameExit: number | null;
  /** Accuracy minus the reference's, with a 95 % interval by documents; no bounds where they are too few. */
  difference: { value: number; low: number | null; high: number | null } | null;
}

export function measured(
  { name: weights, table }: NamedTable,
  reference: NamedTable | null,
  bootstrap: { resamples: number },
): Measured {
  const scores = Array.from({ length: table.loops }, (_, k) => scoreAt(table, exitsAt(table, k + 1)));
  return {
    weights,
    accuracy: scores.map(({ accuracy }) => accuracy),
    perplexity: Math.exp(scores.at(-1)!.crossEntropy),
    sameExit: reference && sameExits(table, reference.table),
    difference: reference && difference({ name: weights, table }, reference, bootstrap),
  };
}

function sameExits(a: TokenTable, b: TokenTable): number {
  const [ofA, ofB] = [a, b].map(({ exitCdf }) => exitsBySignal(exitCdf, TAU));
  return ofA!.reduce((sum, loop, n) => sum + Number(loop === ofB![n]), 0) / a.tokens;
}

function difference(a: NamedTable, b: NamedTable, { resamples }: { resamples: number }): Measured['difference'] {
  const last = `accuracy@${a.table.loops}`;
  const found = pairedBootstrap(a, b, { resamples }).find(({ metric }) => metric === last);
  assert(found);
  const { delta, low, high } = found;
  return { value: delta, low, high };
}
