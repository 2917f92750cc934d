/**
 * Steps 1 and 2 of LoopRPT: what the teacher says about every counted place, and which places are hard.
 *
 *   t_ref = min{k : Σ_{j≤k} π_θ̄(j) ≥ τ};  H_t: the entropy of the teacher's next-token distribution
 *   hard: in every row the ⌈ρ·n⌉ of its n counted places with the highest H_t, ties to the earlier place
 *
 * No gradient anywhere. Loops are counted from 0 in tensors; only differences of loops enter any equation.
 *
 * Shapes: B rows, T places, K loops, N counted places, M hard places of the batch, Q hard places of the fullest row.
 */
import assert from 'node:assert/strict';
import { noGrad, scope, type Tensor, tensor } from '@looprpt/engine';
import { z } from 'zod';
import { exitCdf, exitPdf, exitStep } from '../../model/exit.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { atPlaces, gateLogitsByLoop, nextTokenEntropy, statesAtStep } from '../../model/read-out.js';
import type { TrainingBatch } from '../batch.js';

export const tokenSelectionSchema = z.strictObject({
  rho: z
    .number()
    .positive()
    .max(1)
    .default(0.2)
    .describe('ρ, share of the counted tokens of a row that are hard; 1: no selection'),
  tau: z.number().default(0.7).describe("τ, cdf at which the teacher's reference step is taken"),
  entropyAt: z
    .enum(['reference', 'last'])
    .default('reference')
    .describe("the teacher's loop whose entropy H_t is: its reference step, or the last loop"),
});
export type TokenSelection = z.infer<typeof tokenSelectionSchema>;

export interface HardTokens {
  /** int64 [M]: row·T + place, ascending. */
  placesN: Tensor;
  /** int64 [M] */
  targetsN: Tensor;
  /** The same per row, filled up with place 0: int64 [B, Q]. */
  placesBQ: Tensor;
  /** int64 [M]: row·Q + column of every hard place in that table. */
  cellsM: Tensor;
  /** How many every row has, [B]; they follow each other in the flat lists. */
  perRow: Int32Array;
}

export interface TeacherView {
  hard: HardTokens;
  /** H_t at the hard places, nats, [M]. */
  entropyM: Tensor;
  /** t_ref at the hard places, int64 [M], from 0. */
  referenceStepM: Tensor;
  /** 1 at those hard places that are among the hardest `kappaShare` of their row, else 0, [M]; null: 1 everywhere. */
  hardestM: Tensor | null;
  /** The teacher's states after each loop, [B, T, E]. */
  statesK: readonly Tensor[];
}

/** How many of a row's n counted places are hard. */
export function hardCount(n: number, rho: number): number {
  return Math.ceil(rho * n);
}

/** Indices into `counted` of the hard places. */
export function chooseHard(counted: Int32Array, entropyN: Float64Array, T: number, rho: number): Int32Array {
  const chosen: number[] = [];
  for (let from = 0; from < counted.length; ) {
    const row = Math.floor(counted[from]! / T);
    let to = from;
    while (to < counted.length && Math.floor(counted[to]! / T) === row) to++;
    const places = Array.from({ length: to - from }, (_, i) => from + i);
    places.sort((a, b) => entropyN[b]! - entropyN[a]! || a - b);
    chosen.push(...places.slice(0, hardCount(places.length, rho)));
    from = to;
  }
  return Int32Array.from(chosen).sort();
}

/** Lays the hard places out as flat list and as a table per row. */
function hardTokens(batch: TrainingBatch, chosen: Int32Array): HardTokens {
  const { T, B } = batch;
  const device = batch.idsBT.device;
  const places = chosen.map((n) => batch.counted[n]!);
  const perRow = new Int32Array(B);
  for (const place of places) perRow[Math.floor(place / T)]!++;
  const Q = Math.max(...perRow);
  const table = new Int32Array(B * Q);
  const cells = new Int32Array(places.length);
  const filled = new Int32Array(B);
  places.forEach((place, m) => {
    const row = Math.floor(place / T);
    const cell = row * Q + filled[row]!++;
    table[cell] = place % T;
    cells[m] = cell;
  });
  const int64 = (array: Int32Array, shape: number[]): Tensor => tensor(array, { shape, dtype: 'int64', device });
  const placesN = int64(places, [places.length]);
  return {
    placesN,
    targetsN: batch.targetsBT.indexSelect(0, placesN),
    placesBQ: int64(table, [B, Q]),
    cellsM: int64(cells, [places.length]),
    perRow,
  };
}

/** 1 at the chosen places that would be chosen with `share` among themselves, else 0, float [M]. */
function hardest(chosen: Int32Array, entropyN: Float64Array, batch: TrainingBatch, share: number): Tensor {
  const places = chosen.map((n) => batch.counted[n]!);
  const entropyM = Float64Array.from(chosen, (n) => entropyN[n]!);
  const flags = new Float32Array(chosen.length);
  for (const m of chooseHard(places, entropyM, batch.T, share)) flags[m] = 1;
  return tensor(flags, { device: batch.idsBT.device });
}

/**
 * @param made the teacher's states after each loop, [B, T, E], where its pass has been made already
 * @throws AssertionError if no place of the batch counts
 */
export function hardTokensOf(
  teacher: LoopLM,
  batch: TrainingBatch,
  config: TokenSelection & { kappaShare?: number | undefined },
  made: readonly Tensor[] | null = null,
): TeacherView {
  assert(batch.counted.length > 0, 'no place of the batch counts in the loss');
  const view = (): TeacherView => {
    const statesK = made ? made.map((hiddenBTE) => hiddenBTE.detach()) : teacher.states(batch);
    const cdfKN = exitCdf(exitPdf(gateLogitsByLoop(teacher, statesK, batch.countedN, false)));
    const referenceStepN = exitStep(cdfKN, config.tau);
    const entropyN = nextTokenEntropy(teacher, entropyStates(statesK, batch.countedN, referenceStepN, config));
    const entropies = entropyN.toNumbers();
    const chosen = chooseHard(batch.counted, entropies, batch.T, config.rho);
    const { kappaShare = 1 } = config;
    const chosenM = tensor(chosen, { dtype: 'int64', device: batch.idsBT.device });
    return {
      hard: hardTokens(batch, chosen),
      entropyM: entropyN.indexSelect(0, chosenM),
      referenceStepM: referenceStepN.indexSelect(0, chosenM),
      hardestM: kappaShare < 1 ? hardest(chosen, entropies, batch, kappaShare) : null,
      statesK,
    };
  };
  return noGrad(() => scope(view));
}

/** The states whose entropy is H_t, [N, E]. */
function entropyStates(
  statesK: readonly Tensor[],
  placesN: Tensor,
  stepN: Tensor,
  { entropyAt }: TokenSelection,
): Tensor {
  if (entropyAt === 'last') return atPlaces(statesK.at(-1)!, placesN);
  return statesAtStep(
    statesK.map((hiddenBTE) => atPlaces(hiddenBTE, placesN)),
    stepN,
  );
}
