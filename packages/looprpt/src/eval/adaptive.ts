/**
 * Adaptive depth by the model's own gate: every token stops at the first loop whose exit CDF reaches τ. The CDF in the table
 * is the model's own, so these are the exits that generation takes.
 */

import type { AdaptiveScore } from './result.js';
import { scoreAt } from './score.js';
import { exitsBySignal } from './thresholds.js';
import type { TokenTable } from './token-table.js';

export const DEFAULT_TAUS: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];

/** One entry per τ, in the order given. τ ≤ 0 stops every token after loop 1, τ > 1 none before the last. */
export function scoreAdaptive(table: TokenTable, taus: readonly number[] = DEFAULT_TAUS): AdaptiveScore[] {
  return taus.map((tau) => ({ tau, ...scoreAt(table, exitsBySignal(table.exitCdf, tau)) }));
}
