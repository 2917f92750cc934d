/**
 * What the rounds come to. The bound is what early exits can give if only products cost time: (F0 + K·F1) / (F0 + d̄·F1), where
 * F0 is the LM head for a token, F1 one loop at the token's context, and d̄ the mean loops.
 */

import type { LoopLMConfig } from 'looprpt/internal/model/config.js';
import { flopsPerToken } from 'looprpt/internal/model/flops.js';
import { median } from '../statistics.js';
import type { Stretch } from './decoding.js';

export interface Row {
  batch: number;
  name: string;
  meanLoops: number;
  /** Medians over the rounds, and the best round. */
  tokensPerSecond: number;
  best: number;
  /** Median over the rounds of the speed against the way that it is compared with in the same round; null for a way without one. */
  speedup: number | null;
  /** Of the speed-up; null at full depth. */
  bound: number | null;
  /** speedup / bound */
  reached: number | null;
}

export const tokensPerSecond = ({ tokens, seconds }: Stretch): number => tokens / seconds;

/** @param full the rounds at full depth that `rounds` are compared with; null for a way that has none */
export function summarize(
  { batch, name }: Pick<Row, 'batch' | 'name'>,
  rounds: readonly Stretch[],
  full: readonly Stretch[] | null,
  config: LoopLMConfig,
): Row {
  const rates = rounds.map(tokensPerSecond);
  const meanLoops = mean(rounds, ({ meanLoops }) => meanLoops);
  const row = { batch, name, meanLoops, tokensPerSecond: median(rates), best: Math.max(...rates) };
  if (full === null) return { ...row, speedup: null, bound: null, reached: null };
  const speedup = median(rates.map((value, round) => value / tokensPerSecond(full[round]!)));
  if (meanLoops === config.loops) return { ...row, speedup, bound: null, reached: null };
  const bound = flopsOf(full, config) / flopsOf(rounds, config);
  return { ...row, speedup, bound, reached: speedup / bound };
}

function flopsOf(rounds: readonly Stretch[], config: LoopLMConfig): number {
  const { head, perLoop } = flopsPerToken(
    config,
    mean(rounds, ({ meanContext }) => meanContext),
  );
  return head + mean(rounds, ({ meanLoops }) => meanLoops) * perLoop;
}

function mean<T>(list: readonly T[], of: (one: T) => number): number {
  return list.reduce((sum, one) => sum + of(one), 0) / list.length;
}
