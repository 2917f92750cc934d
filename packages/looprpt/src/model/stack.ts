/**
 * One loop of the model: the shared stack of layers, then the final norm. Two ways with the same result up to rounding:
 * plain operators (any dtype, device, cache), and fused operators (float32 and half precision, any device, without a cache), whose
 * attention is a kernel of our own for float32 on the CPU and libtorch's elsewhere.
 *
 * In the fused way a layer's four norms and two additions are two operators, because every norm after a branch is followed by
 * an addition and the next norm.
 *
 * Shapes: B rows, T places, S keys, E hidden, C = (H + 2G)·D.
 */
import {
  checkpoint,
  fusable,
  fusedAttention,
  fusedLinear,
  fusedQueryAttention,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSplitRotate,
  fusedSupports,
  fusedSwiglu,
  scope,
  type Tensor,
} from '@looprpt/engine';
import { attention } from './attention.js';
import type { LoopLMConfig } from './config.js';
import { attendFrom, type KeysValues, type LayerHooks, layerForward, layerQueries, rmsNorm } from './layer.js';
import type { PassContext } from './pass.js';
import type { Weights } from './weights.js';

/** 'plain' forces plain operators everywhere; for comparison. */
export type Kernels = 'fused' | 'plain';

/** A model's weights with the way to run them. */
export interface Stack {
  config: LoopLMConfig;
  weights: Weights;
  kernels: Kernels;
  /** Keep only the states between loops for the backward pass, which then runs each loop again. */
  checkpointLoops?: boolean;
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
export function runLoop(stack: Stack, hiddenBTE: Tensor, pass: PassContext, hooks: LoopHooks = {}): LoopResult {
  if (!stack.checkpointLoops || hooks.remember) return runLoopOnce(stack, hiddenBTE, pass, hooks);
  const qkv: Tensor[] = [];
  const once = (stateBTE: Tensor): Tensor => {
    // The rows are handed out by the run that is not recorded.
    const result = runLoopOnce(stack, stateBTE, pass, { keep: hooks.keep && qkv.length === 0 });
    qkv.push(...result.qkv);
    return result.hiddenBTE;
  };
  return { hiddenBTE: checkpoint(once, hiddenBTE), qkv };
}

function runLoopOnce(stack: Stack, hiddenBTE: Tensor, pass: PassContext, { remember, keep }: LoopHooks): LoopResult {
  const fused = !remember && usesFused(stack, hiddenBTE);
  if (!(fused && fusable(hiddenBTE))) outliveLoop(pass);
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
        return mixRows(qkvBTC, i, config, pass);
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
  const once = (stateBTE: Tensor): Tensor => runQueriesOnce(stack, stateBTE, qkvByLayer, clean, queries);
  return stack.checkpointLoops ? checkpoint(once, hiddenBTE) : once(hiddenBTE);
}

function runQueriesOnce(
  stack: Stack,
  hiddenBTE: Tensor,
  qkvByLayer: readonly Tensor[],
  clean: PassContext,
  queries: PassContext,
): Tensor {
  const fused = usesFused(stack, hiddenBTE);
  if (!(fused && fusable(hiddenBTE))) outliveLoop(queries);
  return scope(() => {
    const { config, weights } = stack;
    if (fused) {
      const width = config.heads * config.headDim;
      const places = { last: queries.placesBT, first: queries.firstKeyBT };
      return fusedLoop(stack, hiddenBTE, (normedBTE, i) => {
        const q = fusedLinear(normedBTE, weights.layers[i]!.qkv.slice(0, 0, width));
        if (!fusable(q)) return attendFrom(q, i, config, qkvByLayer[i]!, clean, queries);
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

/** What the heads make of joined rows, [B, T, C] → [B, T, H·D]. */
function mixRows(qkvBTC: Tensor, layer: number, config: LoopLMConfig, pass: PassContext): Tensor {
  if (fusable(qkvBTC)) return fusedAttention(qkvBTC, angles(pass), pass.firstKeyBT, heads(config, layer));
  const [qBTHD, kBTGD, vBTGD] = fusedSplitRotate(qkvBTC, angles(pass), config.heads, config.kvHeads);
  return attention(qBTHD, kBTGD, vBTGD, pass.visible[layer]!);
}

/** Makes what libtorch's attention shares before the scope of one loop opens, so that the next loop still has it. */
function outliveLoop(pass: PassContext): void {
  void pass.visible;
}

function usesFused({ kernels }: Stack, like: Tensor): boolean {
  return kernels === 'fused' && fusedSupports(like);
}

/**
 * One loop of fused operators, whatever its rows attend to. Without the scope that `runLoop` puts around it.
 * @param hidden the state before the loop, [..., E]
 * @param mix normed rows [..., E] and the layer's index → what its heads mixed, [..., H·D]
 * @param product x·Wᵀ; the default has gradients
 * @returns the state after the loop, normalised, [..., E]
 */
export function fusedLoop(
  { config, weights }: Pick<Stack, 'config' | 'weights'>,
  hidden: Tensor,
  mix: (normed: Tensor, layer: number) => Tensor,
  product: (x: Tensor, weight: Tensor) => Tensor = fusedLinear,
): Tensor {
  const eps = config.rmsNormEps;
  let residual = hidden;
  let normed = fusedRmsNorm(hidden, weights.layers[0]!.normBeforeAttention, eps);
  weights.layers.forEach((layer, i) => {
    const mixed = product(mix(normed, i), layer.out);
    [residual, normed] = fusedResidualNorm(mixed, residual, layer.normAfterAttention, layer.normBeforeMlp, eps);
    const expanded = product(fusedSwiglu(product(normed, layer.gateUp)), layer.down);
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
