/**
 * One loop of the model: the shared stack of layers, then the final norm. Two ways with the same result up to rounding:
 * plain operators (any dtype, device, cache), and fused operators (float32 on the CPU, without a cache).
 *
 * In the fused way a layer's four norms and two additions are two operators, because every norm after a branch is followed by
 * an addition and the next norm.
 *
 * Shapes: B rows, T places, S keys, E hidden, C = (H + 2G)·D.
 */
import {
  fusable,
  fusedAttention,
  fusedQueryAttention,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSwiglu,
  linear,
  type Tensor,
} from '@looprpt/engine';
import type { LoopLMConfig } from './config.js';
import { type KeysValues, layerForward, layerQueries, rmsNorm } from './layer.js';
import type { PassContext } from './pass.js';
import type { Weights } from './weights.js';

/** 'plain' forces plain operators everywhere; for comparison. */
export type Kernels = 'fused' | 'plain';

/** A model's weights with the way to run them. */
export interface Stack {
  config: LoopLMConfig;
  weights: Weights;
  kernels: Kernels;
}

export interface LoopHooks {
  /** Maps a layer's new keys and values to those attended to; forces plain operators. */
  remember?: ((layer: number, fresh: KeysValues) => KeysValues) | undefined;
  /** Gets every layer's joined, unrotated q, k and v rows [B, T, C]. */
  keep?: ((layer: number, qkvBTC: Tensor) => void) | undefined;
}

/** Hidden state before a loop → hidden state after it, normalised; [B, T, E]. */
export function runLoop(
  stack: Stack,
  hiddenBTE: Tensor,
  pass: PassContext,
  { remember, keep }: LoopHooks = {},
): Tensor {
  const { config, weights } = stack;
  if (!remember && usesFused(stack, hiddenBTE)) {
    return fusedLoop(stack, hiddenBTE, (normedBTE, i) => {
      const qkvBTC = linear(normedBTE, weights.layers[i]!.qkv);
      keep?.(i, qkvBTC);
      return fusedAttention(qkvBTC, angles(pass), pass.firstKeyBT, heads(config, i));
    });
  }
  const out = weights.layers.reduce(
    (xBTE, layer, i) =>
      layerForward(xBTE, layer, i, config, pass, {
        remember: remember && ((fresh) => remember(i, fresh)),
        keep: keep && ((qkvBTC) => keep(i, qkvBTC)),
      }),
    hiddenBTE,
  );
  return rmsNorm(out, weights.finalNorm, config.rmsNormEps);
}

/**
 * The same for queries alone, over the rows that `keep` got from a finished pass.
 * @param qkvByLayer that pass's joined rows at this loop
 */
export function runLoopQueries(
  stack: Stack,
  hiddenBTE: Tensor,
  qkvByLayer: readonly Tensor[],
  clean: PassContext,
  queries: PassContext,
): Tensor {
  const { config, weights } = stack;
  if (usesFused(stack, hiddenBTE)) {
    const width = config.heads * config.headDim;
    const places = { last: queries.placesBT, first: queries.firstKeyBT };
    return fusedLoop(stack, hiddenBTE, (normedBTE, i) => {
      const q = linear(normedBTE, weights.layers[i]!.qkv.slice(0, 0, width));
      return fusedQueryAttention(q, qkvByLayer[i]!, angles(queries), angles(clean), places, heads(config, i));
    });
  }
  const out = weights.layers.reduce(
    (xBTE, layer, i) => layerQueries(xBTE, layer, i, config, qkvByLayer[i]!, clean, queries),
    hiddenBTE,
  );
  return rmsNorm(out, weights.finalNorm, config.rmsNormEps);
}

function usesFused({ kernels }: Stack, like: Tensor): boolean {
  return kernels === 'fused' && fusable(like);
}

function fusedLoop(
  { config, weights }: Stack,
  hiddenBTE: Tensor,
  mix: (normedBTE: Tensor, layer: number) => Tensor,
): Tensor {
  const eps = config.rmsNormEps;
  let residual = hiddenBTE;
  let normed = fusedRmsNorm(hiddenBTE, weights.layers[0]!.normBeforeAttention, eps);
  weights.layers.forEach((layer, i) => {
    const mixed = linear(mix(normed, i), layer.out);
    [residual, normed] = fusedResidualNorm(mixed, residual, layer.normAfterAttention, layer.normBeforeMlp, eps);
    const expanded = linear(fusedSwiglu(linear(normed, layer.gateUp)), layer.down);
    const next = weights.layers[i + 1]?.normBeforeAttention ?? weights.finalNorm;
    [residual, normed] = fusedResidualNorm(expanded, residual, layer.normAfterMlp, next, eps);
  });
  return normed;
}

function angles({ rope }: PassContext): { cos: Tensor; sin: Tensor } {
  return { cos: rope.cosBTP, sin: rope.sinBTP };
}

function heads({ heads, kvHeads, windows }: LoopLMConfig, layer: number) {
  return { heads, kvHeads, window: windows[layer]! };
}
