/**
 * Greedy decoding of one sequence without a cache: every new token recomputes the whole prefix. Steps are 0-based.
 */
import { firstReaching } from './slow-exit.js';
import type { SlowConfig, SlowParams } from './slow-loop-lm.js';
import { forward, headLogits } from './slow-loop-lm.js';
import { exitPdfOf, statesAt } from './slow-readout.js';

/** fixed: always the state of loop `step`. threshold: the first loop whose exit cdf reaches it, else the last. */
export type SlowExitRule = { kind: 'fixed'; step: number } | { kind: 'threshold'; threshold: number };

export interface SlowDecoded {
  tokens: number[];
  /** loop that each token was read from */
  exitSteps: number[];
  /** logit of each token */
  chosenLogits: number[];
}

/** `mask` (1 real, 0 padding) belongs to the prompt; new tokens are real. Ties go to the lowest id. */
export function greedyDecode(
  config: SlowConfig,
  params: SlowParams,
  prompt: readonly number[],
  options: { newTokens: number; exit: SlowExitRule; mask?: readonly number[] },
): SlowDecoded {
  const ids = [...prompt];
  const mask = [...(options.mask ?? prompt.map(() => 1))];
  const decoded: SlowDecoded = { tokens: [], exitSteps: [], chosenLogits: [] };
  for (let n = 0; n < options.newTokens; n++) {
    const pass = forward(config, params, { ids: [ids], attentionMask: [mask] });
    const states = statesAt(pass, { row: 0, position: ids.length - 1 });
    const step = exitStep(params, states, options.exit);
    const logits = headLogits(config, params, states[step]!);
    const largest = Math.max(...logits);
    const token = logits.indexOf(largest);
    decoded.tokens.push(token);
    decoded.exitSteps.push(step);
    decoded.chosenLogits.push(largest);
    ids.push(token);
    mask.push(1);
  }
  return decoded;
}

/** Exit loop for the states [k][e] of one position. */
export function exitStep(params: SlowParams, states: readonly number[][], rule: SlowExitRule): number {
  return rule.kind === 'fixed' ? rule.step : firstReaching(exitPdfOf(params, states), rule.threshold);
}
