/**
 * Which share of the way from the start to the trained weights predicts best on tuning text: a line search over weights that are there,
 * without a training step. Share 0 is the start itself, so a run that did harm can be taken back whole.
 *
 * Judged by the frontier of the tuning tokens themselves, the same for every share. What is chosen here must be reported on other text.
 */
import type { PackedBatch } from '../data/loader/batch.js';
import type { LoopLM } from '../model/loop-lm.js';
import { blendTowards } from '../train/blend.js';
import { frontierArea } from './frontier.js';
import { scoreAt } from './score.js';
import { tableFromModel } from './table-from-model.js';
import { evenThresholds, exitsBySignal } from './thresholds.js';

/** Close together near the start: on a base that has nothing left to learn the best share is a small one. */
export const SHARES: readonly number[] = [0, 0.05, 0.15, 0.3, 0.5, 0.75, 1];

const POINTS = 33;

/** A share of the way, and the frontier's area on the tuning text there, a share of tokens. */
export interface BlendTrial {
  share: number;
  area: number;
}

export interface BlendSearch {
  /** Makes the start anew; called once a share, and what it makes is disposed of. */
  open: () => LoopLM;
  /** The last weights; they stay as they are. */
  trained: LoopLM;
  batches: readonly PackedBatch[];
  shares?: readonly number[];
  onTrial?: (trial: BlendTrial) => void;
}

/** @returns a trial for every share, in their order */
export async function searchBlend({
  open,
  trained,
  batches,
  shares = SHARES,
  onTrial,
}: BlendSearch): Promise<BlendTrial[]> {
  const trials: BlendTrial[] = [];
  for (const share of shares) {
    const model = open();
    try {
      if (share > 0) blendTowards(model, trained, share);
      const table = await tableFromModel(model, batches);
      const curve = evenThresholds(table.exitCdf, POINTS).map((threshold) =>
        scoreAt(table, exitsBySignal(table.exitCdf, threshold)),
      );
      trials.push({ share, area: frontierArea(curve, table.loops) });
      onTrial?.(trials.at(-1)!);
    } finally {
      model.dispose();
    }
  }
  return trials;
}

/** The share with the largest area; of equals the one nearest to the start. */
export function bestShare(trials: readonly BlendTrial[]): number {
  return trials.reduce((best, one) => (one.area > best.area ? one : best)).share;
}
