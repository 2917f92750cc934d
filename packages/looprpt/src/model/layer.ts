/**
 * One transformer layer of the shared stack: attention and MLP, each between two norms ("sandwich").
 *
 * a = x + N2(Attention(N1(x)));  out = a + N4(MLP(N3(a)))
 *
 * Shapes: B batch, T positions, E hidden, F MLP, H query heads, G key heads, D head size.
 */
import { linear, type Tensor } from '@looprpt/engine';
import { attention, type Visibility } from './attention.js';
import type { LoopLMConfig } from './config.js';
import { type RopeTables, rotate } from './rope.js';
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

/**
 * The whole layer.
 * @param remember maps this layer's new keys and values to those that are attended to (a cache appends them to its own)
 */
export function layerForward(
  xBTE: Tensor,
  weights: LayerWeights,
  config: LoopLMConfig,
  rope: RopeTables,
  visible: Visibility,
  remember: (fresh: KeysValues) => KeysValues,
): Tensor {
  const { heads: H, kvHeads: G, rmsNormEps: eps } = config;
  const headsBTND = splitHeads(linear(rmsNorm(xBTE, weights.normBeforeAttention, eps), weights.qkv), H + 2 * G);
  const rotatedBTND = rotate(headsBTND.slice(2, 0, H + G), rope);
  const { kBSGD, vBSGD } = remember({
    kBSGD: rotatedBTND.slice(2, H, H + G),
    vBSGD: headsBTND.slice(2, H + G, H + 2 * G),
  });
  return afterAttention(xBTE, attention(rotatedBTND.slice(2, 0, H), kBSGD, vBSGD, visible), weights, eps);
}

/** The layer for queries alone, over keys and values that are given: hard-token rollouts. */
export function layerQueries(
  xBTE: Tensor,
  weights: LayerWeights,
  config: LoopLMConfig,
  rope: RopeTables,
  visible: Visibility,
  { kBSGD, vBSGD }: KeysValues,
): Tensor {
  const { heads: H, headDim: D, rmsNormEps: eps } = config;
  const queryWeight = weights.qkv.slice(0, 0, H * D);
  const qBTHD = splitHeads(linear(rmsNorm(xBTE, weights.normBeforeAttention, eps), queryWeight), H);
  return afterAttention(xBTE, attention(rotate(qBTHD, rope), kBSGD, vBSGD, visible), weights, eps);
}
