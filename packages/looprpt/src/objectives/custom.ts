/**
 * An objective of a program's own: a function from a batch to a loss. It runs through the same trainer as those that come with
 * this package: micro-batches, clipping, teacher, checkpoints, several ranks.
 *
 * Shapes: K loops, N counted places of the batch.
 */
import { full, type Tensor } from '@looprpt/engine';
import type { PackedBatch } from '../data/loader/batch.js';
import type { NamedParameter } from '../model/weights.js';
import type { Objective, ObjectiveInputs } from './contract.js';

/** What a loss function returns; only `loss` is differentiated. */
export interface CustomLoss {
  /** Scalar with gradient; a mean over the places of the batch. */
  loss: Tensor;
  /** Named scalars worth logging, such as the terms of the loss before their weights. */
  parts?: Record<string, Tensor>;
  /** π [K, N], the exit pdf, for the logged exit histogram, its entropy and the mean loops; without it those are NaN. */
  exitPdfKN?: Tensor;
}

/**
 * The loss of one batch, as tensors of the student's graph. It is called inside a scope: what it makes is freed after the
 * backward pass.
 */
export type LossFunction = (inputs: ObjectiveInputs) => CustomLoss;

/** A loss of one's own with what the trainer asks of an objective besides. */
export interface CustomObjective {
  loss: LossFunction;
  /** What the run calls it; default `custom`. */
  name?: string;
  /** Whether `loss` reads `inputs.teacher`; default false. */
  readsTeacher?: boolean;
  /** Which weights are trained; default all. */
  trains?: (parameter: NamedParameter) => boolean;
  /** How many places of a batch the loss is a mean over, its weight in a step of several batches; default all that count. */
  lossPlaces?: (batch: PackedBatch) => number;
}

export function customObjective(custom: CustomObjective): Objective {
  const { loss, readsTeacher = false, trains = () => true, lossPlaces = ({ lossTokens }) => lossTokens } = custom;
  return {
    readsTeacher,
    trains,
    lossPlaces,
    loss: (inputs) => {
      const { loss: scalar, parts = {}, exitPdfKN } = loss(inputs);
      const detached = Object.entries(parts).map(([name, part]) => [name, part.detach()]);
      return {
        loss: scalar,
        parts: Object.fromEntries(detached) as Record<string, Tensor>,
        exitPdfKN: exitPdfKN?.detach() ?? unmeasured(inputs),
      };
    },
    idle: () => {},
  };
}

function unmeasured({ student }: ObjectiveInputs): Tensor {
  return full([student.config.loops, 1], Number.NaN, { device: student.device });
}
