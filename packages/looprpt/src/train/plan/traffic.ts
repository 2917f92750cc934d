/**
 * What a rank sends in a step: the theoretical minimum of collectives over w ranks, (w − 1)/w of the data for a reduce-scatter or an
 * all-gather, twice that for an all-reduce. Gradients are summed in float32 (distributed/gradient-sum.ts).
 */

import type { RunConfig } from '../run-config.js';
import { keepsTeacher } from '../teacher.js';
import { widthsOf } from './operators.js';
import type { Parameters } from './work.js';

/** Bytes. */
export interface TrafficPlan {
  /** All-reduce, or reduce-scatter with `distributed.zero`. */
  gradients: number;
  /** With `distributed.zero`: all-gather of the stepped weights. */
  weights: number;
  /** With `distributed.zero` and a teacher that is not replicated: all-gather of its weights, once for every micro-batch. */
  teacher: number;
  total: number;
}

export function planTraffic(
  { dtype, objective, teacherDecay, distributed, batch }: RunConfig,
  { total, trained }: Parameters,
  ranks: number,
): TrafficPlan {
  const { width, wide } = widthsOf(dtype);
  const { zero, replicateTeacher } = distributed;
  const part = (ranks - 1) / ranks;
  const gradients = (zero ? 1 : 2) * part * wide * trained;
  const weights = zero ? part * width * trained : 0;
  const teacher =
    zero && !replicateTeacher && keepsTeacher({ objective, teacherDecay })
      ? part * width * total * batch.accumulate
      : 0;
  return { gradients, weights, teacher, total: gradients + weights + teacher };
}
