/**
 * What the trainer asks of an objective, gives to it and gets from it. The trainer knows nothing else of objectives, an
 * objective nothing of optimizers, files or ranks.
 *
 * Shapes: B rows, K loops, N places of the batch, G members of a group.
 */
import type { Tensor } from '@looprpt/engine';
import type { PackedBatch } from '../data/loader/batch.js';
import type { LoopLM } from '../model/loop-lm.js';
import type { NamedParameter } from '../model/weights.js';
import type { TrainingBatch } from './batch.js';
import type { Peers } from './peers.js';
import type { RowKey } from './row-key.js';

export interface Objective {
  /** Whether a step reads a teacher. */
  readonly readsTeacher: boolean;
  /** Which weights it trains. */
  trains(parameter: NamedParameter): boolean;
  /** How many places of a batch the loss is a mean over: the weight of the batch in a step of several. */
  lossPlaces(batch: PackedBatch): number;
  /** The loss of one batch. All tensors it makes belong to the caller's scope. */
  loss(inputs: ObjectiveInputs): ObjectiveReport;
  /** What a rank without such places does while the others compute the loss. */
  idle(peers: Peers): void;
}

/** What a loss is computed from: one batch, the model that is trained, and its teacher. */
export interface ObjectiveInputs {
  student: LoopLM;
  /** Only where `readsTeacher`; may be the student itself. */
  teacher: LoopLM | null;
  batch: TrainingBatch;
  /** What the chance of every row is drawn from, [B]. */
  rowKeys: readonly RowKey[];
  /** The other ranks of a data-parallel step; alone unless told. */
  peers?: Peers;
}

/** Everything but `loss` is detached. */
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
