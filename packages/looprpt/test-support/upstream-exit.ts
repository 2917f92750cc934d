/**
 * Which loop's output a call returns: upstream's precedence of arguments and configuration, and what each choice gives.
 *
 * Positions choose for themselves under a threshold, so one sequence can mix loops. Loops are counted from 0 here, as in
 * upstream's arguments.
 *
 * Shapes: K loops, B batch, T positions, E hidden, V vocabulary.
 */
import { full, stack, type Tensor } from '@looprpt/engine';
import type { LoopLMConfig } from 'looprpt/internal/model/config.js';
import { atStep, exitCdf, exitPdf, exitStep } from 'looprpt/internal/model/exit.js';
import type { LoopLM } from 'looprpt/internal/model/loop-lm.js';

export type ExitChoice =
  /** Σ_k π(k)·z_k, the mixture of all loops' logits. */
  | { rule: 'expected' }
  /** Always this loop. */
  | { rule: 'loop'; step: number }
  /** The first loop whose cdf reaches the threshold, the last if none does. */
  | { rule: 'threshold'; threshold: number }
  | { rule: 'last' };

/** Arguments of a call; what is missing or null is not given. */
export interface ExitArguments {
  /** Whether labels are given; they override all the others. */
  labels?: boolean;
  /** From 0. A value that no loop has is ignored, as upstream does. */
  exitAtStep?: number | null;
  exitThreshold?: number | null;
  /** Reached only where neither the call nor the configuration has a threshold. */
  weighted?: boolean;
}

/** The first rule that applies: labels, fixed loop, threshold, weighted, last. */
export function chooseExit(
  { labels = false, exitAtStep = null, exitThreshold = null, weighted = false }: ExitArguments,
  config: Pick<LoopLMConfig, 'loops' | 'exitLoop' | 'exitThreshold'>,
): ExitChoice {
  if (labels) return { rule: 'expected' };
  const step = exitAtStep ?? (config.exitLoop === null ? null : config.exitLoop - 1);
  if (step !== null && step >= 0 && step < config.loops) return { rule: 'loop', step };
  const threshold = exitThreshold ?? config.exitThreshold;
  if (threshold !== null) return { rule: 'threshold', threshold };
  return weighted ? { rule: 'expected' } : { rule: 'last' };
}

/** Loops (from 0) that a choice of one loop per position takes, int64 [...], from gate logits [K, ...]. */
export function chosenStep(choice: Exclude<ExitChoice, { rule: 'expected' }>, gateLogitsK: Tensor): Tensor {
  if (choice.rule === 'threshold') return exitStep(exitCdf(exitPdf(gateLogitsK)), choice.threshold);
  const step = choice.rule === 'loop' ? choice.step : gateLogitsK.size(0) - 1;
  return full(gateLogitsK.shape.slice(1), step, { dtype: 'int64', device: gateLogitsK.device });
}

/** Σ_k π(k)·z_k in the logits' dtype: pdf [K, ...] and logits [K, ..., V] → [..., V]. */
export function expectedLogits(pdfK: Tensor, logitsKV: Tensor): Tensor {
  return pdfK.unsqueeze(-1).mul(logitsKV).sum(0);
}

/**
 * The logits that a choice gives, from the states of all loops, K tensors [B, T, E].
 * @returns logits [B, T, V], and the loop (from 0) of each position, int64 [B, T]; null where they are mixed
 */
export function exitLogits(
  model: LoopLM,
  states: readonly Tensor[],
  choice: ExitChoice,
): { logitsBTV: Tensor; stepBT: Tensor | null } {
  const hiddenKBTE = stack(states);
  const gateLogitsKBT = model.gateLogits(hiddenKBTE);
  if (choice.rule === 'expected')
    return { logitsBTV: expectedLogits(exitPdf(gateLogitsKBT), model.logits(hiddenKBTE)), stepBT: null };
  const stepBT = chosenStep(choice, gateLogitsKBT);
  const indexBTE = stepBT.unsqueeze(-1).expand(...hiddenKBTE.shape.slice(1));
  return { logitsBTV: model.logits(atStep(hiddenKBTE, indexBTE)), stepBT };
}
