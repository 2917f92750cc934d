/** What may be fitted to whole numbers once they are chosen: the norms and the exit gate, which stay floating-point. */
import type { QuantisedWeight, Tensor } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import type { Weights } from '../../model/weights.js';
import type { Calibration } from './input-moments.js';

export interface FitOptions {
  calibration: Calibration;
  /** Of the text; 0 fits nothing. */
  passes: number;
}

/**
 * Fits a quantised model's norms and gate to the model in floating point.
 * @param teacher whose weights name the matrices @param matrices pieces of each, one below the other
 * @returns by the teacher's tensor what stands in its place, float32; the caller frees them
 */
export type Fit = (
  teacher: LoopLM,
  matrices: ReadonlyMap<Tensor, readonly QuantisedWeight[]>,
  options: FitOptions,
) => Promise<Map<Tensor, Tensor>>;

/** The weights that are fitted, by name. */
export function fittedWeights({ layers, finalNorm, gateWeight, gateBias }: Weights): Map<string, Tensor> {
  const norms = layers.flatMap((layer, i): [string, Tensor][] => [
    [`layers.${i}.normBeforeAttention`, layer.normBeforeAttention],
    [`layers.${i}.normAfterAttention`, layer.normAfterAttention],
    [`layers.${i}.normBeforeMlp`, layer.normBeforeMlp],
    [`layers.${i}.normAfterMlp`, layer.normAfterMlp],
  ]);
  return new Map([...norms, ['finalNorm', finalNorm], ['gateWeight', gateWeight], ['gateBias', gateBias]]);
}
