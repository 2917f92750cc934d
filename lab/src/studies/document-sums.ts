/**
 * What the bootstrap needs of an evaluation: per document the sums that every measure is made of. A resample of documents is a
 * weight for each, and a measure is a function of weighted sums.
 *
 * Rows, each of C documents: counted tokens; right predictions at loops 1..K; loss at loops 1..K, nats; then, for the gate at fixed
 * thresholds (chosen once, from all tokens), right predictions and loops: one pair of rows at τ = `TAU`, and one for each of P
 * thresholds that spread the mean loops evenly. Where a choice of thresholds was made elsewhere (on the tuning split), the credits of its
 * frontier (eval/frontier.ts) stand apart: the area's, then one for each budget of mean loops.
 */

import { areaUnder } from 'looprpt/internal/eval/area.js';
import { creditOf, type FrontierChoice, type FrontierCredit } from 'looprpt/internal/eval/frontier.js';
import { thresholdSettings } from 'looprpt/internal/eval/rule-curves.js';
import { type Exits, exitsAt } from 'looprpt/internal/eval/score.js';
import { exitsBySignal } from 'looprpt/internal/eval/thresholds.js';
import type { TokenTable } from 'looprpt/internal/eval/token-table.js';
import { z } from 'zod';

/** The threshold at which accuracy and mean loops are reported. */
export const TAU = 0.5;

export interface DocumentSums {
  documents: number;
  loops: number;
  rows: readonly Float64Array[];
  /** Budgets of mean loops, and C credits each: the frontier's area, then one a budget. */
  frontier?: { budgets: readonly number[]; credits: readonly Float64Array[] };
  /** Where these are the sums of a part of the tokens: those of all. */
  whole?: DocumentSums;
}

export const encodedSumsSchema = z.object({
  documents: z.number().int(),
  loops: z.number().int(),
  /** Rows one after another, base64: the counts as uint16, the K rows of losses as float32. */
  counts: z.string(),
  losses: z.string(),
  /** Credits one after another, float32. */
  frontier: z.object({ budgets: z.array(z.number()), credits: z.string() }).exactOptional(),
});
export type EncodedSums = z.infer<typeof encodedSumsSchema>;

/**
 * @param documents C: sequence numbers of the table lie below it; a document may have no tokens in the table
 * @param options.choice thresholds chosen elsewhere, for the frontier
 */
export function documentSums(
  table: TokenTable,
  documents: number,
  { points, choice }: { points?: number; choice?: FrontierChoice } = {},
): DocumentSums {
  const { tokens: N, loops: K, sequence, correct, logProb } = table;
  const sum = (exits: Exits, value: (k: number, n: number) => number): Float64Array => {
    const row = new Float64Array(documents);
    for (let n = 0; n < N; n++) row[sequence[n]!]! += value(exits[n]! - 1, n);
    return row;
  };
  const isRight = (k: number, n: number): number => correct[k]![n]!;
  const fixed = Array.from({ length: K }, (_, k) => exitsAt(table, k + 1));
  const gate = [
    exitsBySignal(table.exitCdf, TAU),
    ...thresholdSettings(table, 'gate', points).map(({ exits }) => exits),
  ];
  return {
    documents,
    loops: K,
    rows: [
      sum(fixed[0]!, () => 1),
      ...fixed.map((exits) => sum(exits, isRight)),
      ...fixed.map((exits) => sum(exits, (k, n) => -logProb[k]![n]!)),
      ...gate.flatMap((exits) => [sum(exits, isRight), sum(exits, (k) => k + 1)]),
    ],
    ...(choice && { frontier: frontierSums(creditOf(table, choice)) }),
  };

  function frontierSums({ area, within }: FrontierCredit): NonNullable<DocumentSums['frontier']> {
    const credit = (values: Float64Array): Float64Array => sum(fixed[0]!, (_, n) => values[n]!);
    return {
      budgets: within.map(({ loops }) => loops),
      credits: [credit(area), ...within.map(({ right }) => credit(right))],
    };
  }
}

/** Every measure by its name; fractions, nats and loops. */
export type Measures = Map<string, number>;

/**
 * `accuracy@k`, `crossEntropy@k`; `area`; `accuracy@τ` and `loops@τ` at the threshold; `accuracy at s`, for s mean loops in steps of a
 * half strictly within 1..K; `frontier` and `accuracy ≤ d`, for the same d as budgets of mean loops, where a choice was made; `early gain`: accuracy at loop 1 minus that at loop K; of a part of the tokens `area beyond all`: its area
 * minus that of all tokens.
 * @param weights per document; default: one each
 */
export function measuresOf(sums: DocumentSums, weights?: Float64Array): Measures {
  const totals = summedRows(sums).map((row) => weighted(row, weights));
  return measuresOfTotals(Float64Array.from(totals), sums);
}

/** The rows whose weighted totals decide the measures: a part's own, then those of all tokens. */
export function summedRows(sums: DocumentSums): readonly Float64Array[] {
  const all = ({ rows, frontier }: DocumentSums): readonly Float64Array[] => [...rows, ...(frontier?.credits ?? [])];
  return sums.whole ? [...all(sums), ...all(sums.whole)] : all(sums);
}

/** @param totals of `summedRows` */
export function measuresOfTotals(totals: Float64Array, { rows, frontier, whole, loops: K }: DocumentSums): Measures {
  const own = totals.subarray(0, rows.length);
  const behind = rows.length + (frontier?.credits.length ?? 0);
  const mean = (row: number): number => own[row]! / own[0]!;
  const measures: Measures = new Map();
  for (let k = 1; k <= K; k++) {
    measures.set(`accuracy@${k}`, mean(k));
    measures.set(`crossEntropy@${k}`, mean(K + k));
  }
  const [atTau, ...curve] = gatePoints(own, K);
  measures.set('area', areaUnder(curve, K));
  measures.set('accuracy@τ', atTau!.accuracy);
  measures.set('loops@τ', atTau!.meanLoops);
  for (const at of meanLoopsShown(K)) measures.set(`accuracy at ${at}`, heightAt(curve, at));
  if (frontier) {
    const [area, ...within] = Array.from(totals.subarray(rows.length, behind), (credit) => credit / own[0]!);
    measures.set('frontier', area!);
    for (const [i, budget] of frontier.budgets.entries()) measures.set(`accuracy ≤ ${budget}`, within[i]!);
  }
  measures.set('early gain', measures.get('accuracy@1')! - measures.get(`accuracy@${K}`)!);
  if (whole) {
    const wholes = totals.subarray(behind);
    const all = areaUnder(gatePoints(wholes.subarray(0, whole.rows.length), K).slice(1), K);
    measures.set('area beyond all', measures.get('area')! - all);
    if (frontier && whole.frontier)
      measures.set('frontier beyond all', measures.get('frontier')! - wholes[whole.rows.length]! / wholes[0]!);
  }
  return measures;
}

/** The gate at τ = `TAU`, then at the thresholds that spread the mean loops. */
function gatePoints(totals: Float64Array, K: number): { accuracy: number; meanLoops: number }[] {
  return Array.from({ length: (totals.length - 1 - 2 * K) / 2 }, (_, i) => ({
    accuracy: totals[1 + 2 * K + 2 * i]! / totals[0]!,
    meanLoops: totals[2 + 2 * K + 2 * i]! / totals[0]!,
  }));
}

/** 1.5, 2, … K − 0.5 */
export function meanLoopsShown(loops: number): number[] {
  return Array.from({ length: Math.max(0, 2 * loops - 3) }, (_, i) => 1.5 + i / 2);
}

/** A curve's accuracy at some mean loops: straight between its points, flat beyond them. */
export function heightAt(curve: readonly { accuracy: number; meanLoops: number }[], at: number): number {
  const sorted = curve.toSorted((a, b) => a.meanLoops - b.meanLoops);
  const right = sorted.findIndex(({ meanLoops }) => meanLoops >= at);
  if (right < 0) return sorted.at(-1)!.accuracy;
  const b = sorted[right]!;
  const a = sorted[right - 1];
  if (!a || b.meanLoops === a.meanLoops) return b.accuracy;
  return a.accuracy + ((at - a.meanLoops) / (b.meanLoops - a.meanLoops)) * (b.accuracy - a.accuracy);
}

function weighted(row: Float64Array, weights: Float64Array | undefined): number {
  let sum = 0;
  if (weights) for (let i = 0; i < row.length; i++) sum += row[i]! * weights[i]!;
  else for (let i = 0; i < row.length; i++) sum += row[i]!;
  return sum;
}

export function encodeSums({ documents, loops: K, rows, frontier }: DocumentSums): EncodedSums {
  const isLoss = (_: unknown, i: number): boolean => i > K && i <= 2 * K;
  const flat = (some: readonly Float64Array[]): number[] => some.flatMap((row) => Array.from(row));
  const losses = flat(rows.filter(isLoss));
  const counts = flat(rows.filter((row, i) => !isLoss(row, i)));
  return {
    documents,
    loops: K,
    counts: base64(Uint16Array.from(counts)),
    losses: base64(Float32Array.from(losses)),
    ...(frontier && {
      frontier: { budgets: [...frontier.budgets], credits: base64(Float32Array.from(flat(frontier.credits))) },
    }),
  };
}

export function decodeSums({ documents: C, loops: K, counts, losses, frontier }: EncodedSums): DocumentSums {
  const countRows = rowsOf(new Uint16Array(bytesOf(counts)), C);
  const lossRows = rowsOf(new Float32Array(bytesOf(losses)), C);
  return {
    documents: C,
    loops: K,
    rows: [...countRows.slice(0, K + 1), ...lossRows, ...countRows.slice(K + 1)],
    ...(frontier && {
      frontier: { budgets: frontier.budgets, credits: rowsOf(new Float32Array(bytesOf(frontier.credits)), C) },
    }),
  };
}

function base64(array: Uint16Array | Float32Array): string {
  return Buffer.from(array.buffer).toString('base64');
}

function bytesOf(text: string): ArrayBuffer {
  const bytes = Buffer.from(text, 'base64');
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
}

function rowsOf(flat: Uint16Array | Float32Array, length: number): Float64Array[] {
  return Array.from({ length: flat.length / length }, (_, i) =>
    Float64Array.from(flat.subarray(i * length, (i + 1) * length)),
  );
}
