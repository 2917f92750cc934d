/**
 * Forward FLOPs of one token, from the configuration: a multiply-add counts as two, and only products count (norms,
 * rotations, softmax and activations do not).
 */
import type { LoopLMConfig } from './config.js';

export interface FlopsPerToken {
  /** One loop of the shared stack with its gate, at the context given. */
  perLoop: number;
  /** One read-out by the LM head. */
  head: number;
}

/**
 * @param context keys in the token's reach, itself included; one number, or one per token to take the mean over.
 * Attention costs 4·H·D per key: a product with the key and one with the value.
 */
export function flopsPerToken(config: LoopLMConfig, context: number | ArrayLike<number>): FlopsPerToken {
  const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D, vocabSize: V } = config;
  const projections = 2 * E * ((H + 2 * G) * D + H * D + 3 * F);
  const keysByWindow = new Map([...new Set(config.windows)].map((window) => [window, meanKeys(context, window)]));
  const attention = config.windows.reduce<number>((sum, window) => sum + 4 * H * D * keysByWindow.get(window)!, 0);
  return { perLoop: config.layers * projections + attention + 2 * E, head: 2 * E * V };
}

function meanKeys(context: number | ArrayLike<number>, window: number | null): number {
  const limit = window ?? Number.POSITIVE_INFINITY;
  if (typeof context === 'number') return Math.min(context, limit);
  let sum = 0;
  for (let n = 0; n < context.length; n++) sum += Math.min(context[n]!, limit);
  return context.length === 0 ? 0 : sum / context.length;
}
