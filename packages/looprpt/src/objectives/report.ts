/**
 * What an objective hands to the trainer: the loss to differentiate, and what is worth logging.
 *
 * Everything but `loss` is detached. Shapes: K loops, N places of the batch, G members of a group.
 */
import type { Tensor } from '@looprpt/engine';

export interface ObjectiveReport {
  /** Scalar with gradient; a mean over places. */
  loss: Tensor;
  /** The named parts of the loss before their weights, scalars. */
  parts: Record<string, Tensor>;
  /** π [K, N] of the student at the places that the loss reads. */
  exitPdfKN: Tensor;
  /** R(k) [K, N], where the objective has rewards. */
  rewardKN?: Tensor;
  /** Rewards of the groups in which advantages were formed, [G, N]. */
  groupRewardsGN?: Tensor;
}
