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
  fusedLinear,
  fusedQueryAttention,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSwiglu,
  scope,
  type Tensor,
} from '@looprpt/engine';
import type { LoopLMConfig } from './config.js';
import { type KeysValues, type LayerHooks, layerForward, layerQueries, rmsNorm } from './layer.js';
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
  /** Hand out every layer's joined, unrotated q, k and v rows, detached. */
  keep?: boolean | undefined;
}

export interface LoopResult {
  /** The state after the loop, normalised, [B, T, E]. */
  hiddenBTE: Tensor;
  /** [B, T, C] by layer; empty unless kept. */
  qkv: Tensor[];
}

/** Runs one loop on the hidden state before it, [B, T, E]. What it makes on the way is freed, or held by autograd alone. */
export function runLoop(
  stack: Stack,
  hiddenBTE: Tensor,
  pass: PassContext,
  { remember, keep }: LoopHooks = {},
): LoopResult {
  const fused = !remember && usesFused(stack, hiddenBTE);
  if (!fused) outliveLoop(pass);
  return scope(() => {
    const { config, weights } = stack;
    const qkv: Tensor[] = [];
    const keepRows = (qkvBTC: Tensor): void => {
      if (keep) qkv.push(qkvBTC.detach());
    };
    if (fused) {
      const out = fusedLoop(stack, hiddenBTE, (normedBTE, i) => {
        const qkvBTC = fusedLinear(normedBTE, weights.layers[i]!.qkv);
        keepRows(qkvBTC);
        return fusedAttention(qkvBTC, angles(pass), pass.firstKeyBT, heads(config, i));
      });
      return { hiddenBTE: out, qkv };
    }
    const hooks = (i: number): LayerHooks => ({
      remember: remember && ((fresh) => remember(i, fresh)),
      keep: keepRows,
    });
    const out = weights.layers.reduce(
      (xBTE, layer, i) => layerForward(xBTE, layer, i, config, pass, hooks(i)),
      hiddenBTE,
    );
    return { hiddenBTE: rmsNorm(out, weights.finalNorm, config.rmsNormEps), qkv };
  });
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
  const fused = usesFused(stack, hiddenBTE);
  if (!fused) outliveLoop(queries);
  return scope(() => {
    const { config, weights } = stack;
    if (fused) {
      const width = config.heads * config.headDim;
      const places = { last: queries.placesBT, first: queries.firstKeyBT };
      return fusedLoop(stack, hiddenBTE, (normedBTE, i) => {
        const q = fusedLinear(normedBTE, weights.layers[i]!.qkv.slice(0, 0, width));
        return fusedQueryAttention(q, qkvByLayer[i]!, angles(queries), angles(clean), places, heads(config, i));
      });
    }
    const out = weights.layers.reduce(
      (xBTE, layer, i) => layerQueries(xBTE, layer, i, config, qkvByLayer[i]!, clean, queries),
      hiddenBTE,
    );
    return rmsNorm(out, weights.finalNorm, config.rmsNormEps);
  });
}

/** Makes what plain layers share before the scope of one loop opens, so that the next loop still has it. */
function outliveLoop(pass: PassContext): void {
  void pass.visible;
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
    const mixed = fusedLinear(mix(normed, i), layer.out);
    [residual, normed] = fusedResidualNorm(mixed, residual, layer.normAfterAttention, layer.normBeforeMlp, eps);
    const expanded = fusedLinear(fusedSwiglu(fusedLinear(normed, layer.gateUp)), layer.down);
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
