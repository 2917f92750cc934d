/** What may be fitted to whole numbers once they are chosen: their scales, and the norms and the exit gate, which stay floating-point. */
import type { QuantisedWeight, Tensor } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import type { Weights } from '../../model/weights.js';
import type { Calibration } from './input-moments.js';

export interface FitOptions {
  calibration: Calibration;
  /** Of the text; 0 fits nothing. */
  passes: number;
}

/** The caller frees what is in it. */
export interface Fitted {
  /** By the teacher's tensor what stands in its place, float32. */
  vectors: ReadonlyMap<Tensor, Tensor>;
  /** In the place of `scales`, of the same dtype. */
  scales: ReadonlyMap<QuantisedWeight, Tensor>;
}

/**
 * Fits a quantised model's scales, norms and gate to the model in floating point.
 * @param teacher whose weights name the matrices @param matrices pieces of each, one below the other
 */
export type Fit = (
  teacher: LoopLM,
  matrices: ReadonlyMap<Tensor, readonly QuantisedWeight[]>,
  options: FitOptions,
) => Promise<Fitted>;

/** The vectors that are fitted, by name. */
export function fittedWeights({ layers, finalNorm, gateWeight, gateBias }: Weights): Map<string, Tensor> {
  const norms = layers.flatMap((layer, i): [string, Tensor][] => [
    [`layers.${i}.normBeforeAttention`, layer.normBeforeAttention],
    [`layers.${i}.normAfterAttention`, layer.normAfterAttention],
    [`layers.${i}.normBeforeMlp`, layer.normBeforeMlp],
    [`layers.${i}.normAfterMlp`, layer.normAfterMlp],
  ]);
  return new Map([...norms, ['finalNorm', finalNorm], ['gateWeight', gateWeight], ['gateBias', gateBias]]);
}
