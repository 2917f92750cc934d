/**
 * What exit rules look at, as tensors, and the loops that they choose from the states of all loops afterwards. exit-rule.ts decides
 * the same loop by loop.
 *
 * Shapes: K loops, E hidden, V vocabulary, … any.
 */
import { full, stack, type Tensor, tensor } from '@looprpt/engine';
import { exitCdf, exitPdf, exitStep } from './exit.js';
import { type ExitRule, lastLoop, SIGNAL_RULES, type SignalRule } from './exit-rule.js';
import type { LoopLM } from './loop-lm.js';
import { confidenceOf, entropyOf, inFloat32, logProbsOf } from './read-out.js';

/** ‖h − h'‖ / ‖h‖ along the last dimension; h' is the state before the loop, at the first the embedding. */
export function relativeChange(stateE: Tensor, beforeE: Tensor): Tensor {
  const norm = (x: Tensor): Tensor => x.square().sum(-1).sqrt();
  return norm(inFloat32(stateE).sub(inFloat32(beforeE))).div(norm(inFloat32(stateE)));
}

/** Probability of the likeliest token, from logits […, V]. */
export function confidence(logitsV: Tensor): Tensor {
  return confidenceOf(logProbsOf(logitsV));
}

/** −Σ p·log p in nats, from logits […, V]. */
export function entropy(logitsV: Tensor): Tensor {
  return entropyOf(logProbsOf(logitsV));
}

/** A rule's signal after each loop, [K, …]. @param states of the loops, K × […, E] @param embeddedE what they started from */
export function signals(rule: SignalRule, model: LoopLM, states: readonly Tensor[], embeddedE: Tensor): Tensor {
  switch (rule) {
    case 'gate':
      return exitCdf(exitPdf(stack(states.map((stateE) => model.gateLogits(stateE)))));
    case 'hidden-change':
      return stack(states.map((stateE, k) => relativeChange(stateE, states[k - 1] ?? embeddedE)));
    case 'confidence':
      return stack(states.map((stateE) => confidence(model.logits(stateE))));
    case 'entropy':
      return stack(states.map((stateE) => entropy(model.logits(stateE))));
    default:
      throw rule satisfies never;
  }
}

/**
 * The loop (from 0) at which each token leaves, int64.
 * @param states of as many loops as `lastLoop` says, each [B, E] or [T, E] @param indices numbers of the tokens in their sequences
 */
export function exitSteps(
  rule: ExitRule,
  model: LoopLM,
  states: readonly Tensor[],
  embeddedE: Tensor,
  indices: readonly number[],
): Tensor {
  const { device } = model;
  const last = Math.min(lastLoop(rule, model.config), states.length);
  switch (rule.rule) {
    case 'loops':
      return full([indices.length], last - 1, { dtype: 'int64', device });
    case 'replay':
      return tensor(
        indices.map((index) => rule.loops[index % rule.loops.length]! - 1),
        { dtype: 'int64', device },
      );
    default: {
      const signalK = signals(rule.rule, model, states.slice(0, last), embeddedE);
      const isAbove = SIGNAL_RULES[rule.rule].stops === 'above';
      return isAbove ? exitStep(signalK, rule.threshold) : exitStep(signalK.neg(), -rule.threshold);
    }
  }
}
