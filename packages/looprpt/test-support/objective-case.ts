/** An objective's loss of a tiny model as numbers, with the gradients under their upstream names. */
import type { DType } from '@looprpt/engine';
import { type ObjectiveConfig, objectiveConfigSchema, objectiveOf } from 'looprpt/internal/objectives/objective.js';
import { type LoopRptCase, withModels } from './looprpt-case.js';
import { type UpstreamGradients, upstreamGradients } from './slow-bridge.js';

export interface ObjectiveNumbers {
  loss: number;
  parts: Record<string, number>;
  /** π [k][n] */
  exitPdf: number[][];
  gradients: UpstreamGradients;
}

/** An objective that draws nothing, on the student, teacher and batch of a case. */
export function objectiveNumbers(
  config: { kind: ObjectiveConfig['kind'] } & Record<string, unknown>,
  of: LoopRptCase,
  dtype: DType = 'float64',
): ObjectiveNumbers {
  return withModels(
    of,
    (models) => {
      const { loss, parts, exitPdfKN } = objectiveOf(objectiveConfigSchema.parse(config)).loss(models);
      return {
        loss: loss.item(),
        parts: Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.item()])),
        exitPdf: exitPdfKN.toArray<number[][]>(),
        gradients: upstreamGradients(models.student, loss),
      };
    },
    dtype,
  );
}
