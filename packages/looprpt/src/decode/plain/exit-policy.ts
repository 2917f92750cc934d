/**
 * When a token's loops end, for generation: never more than `maxLoops`, and with a threshold at the first loop whose exit
 * CDF reaches it.
 */
import assert from 'node:assert/strict';
import { stack, type Tensor } from '@looprpt/engine';
import { UserError } from '../../base/user-error.js';
import type { LoopLMConfig } from '../../model/config.js';
import { exitCdf, exitPdf, exitStep } from '../../model/exit.js';
import type { LoopLM } from '../../model/loop-lm.js';
import { statesAtStep } from '../../model/read-out.js';

export interface ExitPolicy {
  /** τ of the exit CDF; null reads every token out after `maxLoops`. */
  readonly threshold: number | null;
  /** Loops that are run, 1..K. */
  readonly maxLoops: number;
}

/** What the configuration says, with what the user asked for instead. @throws UserError when that cannot be run */
export function exitPolicy(
  config: LoopLMConfig,
  asked: { threshold?: number | null | undefined; maxLoops?: number | undefined } = {},
): ExitPolicy {
  const { maxLoops = asked.threshold === undefined ? (config.exitLoop ?? config.loops) : config.loops } = asked;
  if (!Number.isInteger(maxLoops) || maxLoops < 1 || maxLoops > config.loops)
    throw new UserError(`max loops: ${maxLoops} is not a whole number from 1 to ${config.loops}, the model's loops`);
  if (asked.threshold !== undefined) {
    if (Number.isNaN(asked.threshold)) throw new UserError('exit threshold: not a number; give one from 0 to 1');
    return { threshold: asked.threshold, maxLoops };
  }
  // A fixed loop, whether the user's or the checkpoint's, leaves the threshold out of it.
  const fixed = asked.maxLoops !== undefined || config.exitLoop !== null;
  return { threshold: fixed ? null : config.exitThreshold, maxLoops };
}

/** A state for the LM head per row, and the loop that it comes from. */
export interface ReadOut {
  /** [B, E] */
  hiddenBE: Tensor;
  /** B loops, from 1. */
  loops: Uint8Array;
}

/** @param statesBE the state after each of the `maxLoops` loops, [B, E] each */
export function readOutStates(model: LoopLM, statesBE: readonly Tensor[], { threshold }: ExitPolicy): ReadOut {
  const last = statesBE.at(-1);
  assert(last);
  const B = last.size(0);
  if (threshold === null) return { hiddenBE: last, loops: new Uint8Array(B).fill(statesBE.length) };
  const gatesKB = stack(statesBE.map((xBE) => model.gateLogits(xBE)));
  const stepB = exitStep(exitCdf(exitPdf(gatesKB)), threshold);
  const hiddenBE = statesAtStep(statesBE, stepB);
  return { hiddenBE, loops: Uint8Array.from(stepB.toNumbers(), (step) => step + 1) };
}
