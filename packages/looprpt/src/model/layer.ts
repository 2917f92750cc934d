/**
 * One transformer layer of the shared stack by plain operators: attention and MLP, each between two norms ("sandwich").
 *
 *   a = x + N2(Attention(N1(x)));  out = a + N4(MLP(N3(a)))
 *
 * It works for every dtype and device and with a cache; fused-stack.ts computes the same faster where it can.
 *
 * Shapes: B batch, T positions, S keys, E hidden, F MLP, C = (H + 2G)·D, H query heads, G key heads, D head size.
 */
import { linear, type Tensor } from '@looprpt/engine';
import { attention } from './attention.js';
import type { LoopLMConfig } from './config.js';
import type { PassContext } from './pass.js';
import { rotate } from './rope.js';
import type { LayerWeights } from './weights.js';

/** Rotated keys and values of a layer at one loop, [B, S, G, D] each. */
export interface KeysValues {
  kBSGD: Tensor;
  vBSGD: Tensor;
}

/** w ⊙ x / √(mean(x²) + ε); statistics in float32, rounded to the model's dtype before the product with w. */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  const half = x.dtype === 'bfloat16' || x.dtype === 'float16';
  const wide = half ? x.to({ dtype: 'float32' }) : x;
  const normed = wide.mul(wide.square().mean(-1, true).add(eps).rsqrt());
  return (half ? normed.to({ dtype: x.dtype }) : normed).mul(weight);
}

function splitHeads(xBTC: Tensor, heads: number): Tensor {
  const [B, T, C] = xBTC.shape as [number, number, number];
  return xBTC.view(B, T, heads, C / heads);
}

/** down(silu(gate·u) ⊙ up·u) */
function mlp(uBTE: Tensor, weights: LayerWeights): Tensor {
  const joined = linear(uBTE, weights.gateUp);
  const F = joined.size(-1) / 2;
  return linear(
    joined
      .slice(-1, 0, F)
      .silu()
      .mul(joined.slice(-1, F, 2 * F)),
    weights.down,
  );
}

function afterAttention(xBTE: Tensor, mixedBTC: Tensor, weights: LayerWeights, eps: number): Tensor {
  const aBTE = xBTE.add(rmsNorm(linear(mixedBTC, weights.out), weights.normAfterAttention, eps));
  const outBTE = mlp(rmsNorm(aBTE, weights.normBeforeMlp, eps), weights);
  return aBTE.add(rmsNorm(outBTE, weights.normAfterMlp, eps));
}

/** Rotated keys and values out of joined rows. */
function keysValues(joinedBTND: Tensor, { heads: H, kvHeads: G }: LoopLMConfig, pass: PassContext): KeysValues {
  return {
    kBSGD: rotate(joinedBTND.slice(2, H, H + G), pass.rope),
    vBSGD: joinedBTND.slice(2, H + G, H + 2 * G),
  };
}

export interface LayerHooks {
  /** Maps this layer's new keys and values to those that are attended to (a cache appends them to its own). */
  remember?: ((fresh: KeysValues) => KeysValues) | undefined;
  /** Gets the joined, unrotated q, k and v rows, [B, T, C]. */
  keep?: ((qkvBTC: Tensor) => void) | undefined;
}

/** The whole layer; `index` is its place in the stack. */
export function layerForward(
  xBTE: Tensor,
  weights: LayerWeights,
  index: number,
  config: LoopLMConfig,
  pass: PassContext,
  { remember, keep }: LayerHooks,
): Tensor {
  const { heads: H, kvHeads: G, rmsNormEps: eps } = config;
  const qkvBTC = linear(rmsNorm(xBTE, weights.normBeforeAttention, eps), weights.qkv);
  keep?.(qkvBTC);
  const joinedBTND = splitHeads(qkvBTC, H + 2 * G);
  const fresh = keysValues(joinedBTND, config, pass);
  const { kBSGD, vBSGD } = remember ? remember(fresh) : fresh;
  const qBTHD = rotate(joinedBTND.slice(2, 0, H), pass.rope);
  return afterAttention(xBTE, attention(qBTHD, kBSGD, vBSGD, pass.visible[index]!), weights, eps);
}

/**
 * The layer for queries alone, over the keys and values of a finished pass: hard-token rollouts.
 * @param qkvBSC that pass's joined rows at this loop and layer @param clean that pass @param queries the queries' own pass
 */
export function layerQueries(
  xBTE: Tensor,
  weights: LayerWeights,
  index: number,
  config: LoopLMConfig,
  qkvBSC: Tensor,
  clean: PassContext,
  queries: PassContext,
): Tensor {
  const { heads: H, headDim: D, rmsNormEps: eps } = config;
  const qBTC = linear(rmsNorm(xBTE, weights.normBeforeAttention, eps), weights.qkv.slice(0, 0, H * D));
  return afterAttention(xBTE, attendFrom(qBTC, index, config, qkvBSC, clean, queries), weights, eps);
}

/** Unrotated queries [B, T, H·D] over the keys and values of a finished pass → [B, T, H·D]. */
export function attendFrom(
  qBTC: Tensor,
  index: number,
  config: LoopLMConfig,
  qkvBSC: Tensor,
  clean: PassContext,
  queries: PassContext,
): Tensor {
  const { heads: H, kvHeads: G } = config;
  const { kBSGD, vBSGD } = keysValues(splitHeads(qkvBSC, H + 2 * G), config, clean);
  return attention(rotate(splitHeads(qBTC, H), queries.rope), kBSGD, vBSGD, queries.visible[index]!);
}
