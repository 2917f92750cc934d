/**
 * Rotary position embedding, half-split: feature j is paired with j + D/2.
 *
 * Shapes: B batch, T positions, D head size, P = D/2 pairs, N any number of heads.
 */
import { arange, cat, type DType, op, type Tensor } from '@looprpt/engine';
import type { LoopLMConfig } from './config.js';

export interface RopeTables {
  /** [B or 1, T, P] each, in the model's dtype; float32 for attention of our own. */
  cosBTP: Tensor;
  sinBTP: Tensor;
}

/**
 * cos and sin of position·θ^(−2j/D), computed in float32 (float64 for a float64 model) and cast to `dtype`.
 * The same for all layers and loops.
 * @param positionsBT int64 [B or 1, T]
 */
export function ropeTables(config: LoopLMConfig, positionsBT: Tensor, dtype: DType): RopeTables {
  const device = positionsBT.device;
  const wide: DType = dtype === 'float64' ? 'float64' : 'float32';
  const exponentP = arange(0, config.headDim, { step: 2, dtype: wide, device }).div(config.headDim);
  // The power and its reciprocal in upstream's order: at large positions the last bit of a frequency shows.
  const frequencyP = op('aten::reciprocal')(op('aten::pow.Scalar')(config.ropeTheta, exponentP));
  const angleBTP = positionsBT.to({ dtype: wide }).unsqueeze(-1).mul(frequencyP);
  return { cosBTP: angleBTP.cos().to({ dtype }), sinBTP: angleBTP.sin().to({ dtype }) };
}

/** Rotates heads: x [B, T, N, D] → the same shape. */
export function rotate(xBTND: Tensor, { cosBTP, sinBTP }: RopeTables): Tensor {
  const half = xBTND.size(-1) / 2;
  const cos = cosBTP.unsqueeze(2);
  const sin = sinBTP.unsqueeze(2);
  const a = xBTND.slice(-1, 0, half);
  const b = xBTND.slice(-1, half, 2 * half);
  return cat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], -1);
}

/** Joined heads apart: [B, T, C] → [B, T, heads, C / heads]. */
export function splitHeads(xBTC: Tensor, heads: number): Tensor {
  const [B, T, C] = xBTC.shape as [number, number, number];
  return xBTC.view(B, T, heads, C / heads);
}
