/**
 * What a loop is computed with: five primitives, in two sets with the same results up to rounding. `PLAIN` is libtorch's operators
 * one by one, for every dtype and for comparison. `FUSED` are the engine's, for float32 and half precision on any device: fewer
 * passes over memory, and gradients that keep less.
 *
 * Shapes: E hidden, F MLP, any number of rows before them; B rows, T places, H query heads, G key heads, D head size.
 */
import {
  fusable,
  fusedAttends,
  fusedLinear,
  fusedResidualNorm,
  fusedRmsNorm,
  fusedSplitRotate,
  fusedSupports,
  fusedSwiglu,
  linear,
  type Tensor,
} from '@looprpt/engine';
import { type RopeTables, rotate, splitHeads } from './rope.js';

/** 'plain' forces plain operators everywhere; for comparison. */
export type Kernels = 'fused' | 'plain';

export interface Operators {
  /** x·Wᵀ: [..., in] and [out, in] → [..., out]. */
  product(x: Tensor, weight: Tensor): Tensor;
  /** w ⊙ x / √(mean(x²) + ε) over the last dimension; statistics in float32. */
  norm(x: Tensor, weight: Tensor, eps: number): Tensor;
  /** sum = residual + norm(branch) and norm(sum), the next branch's start: every norm after a branch is followed by both. */
  residualNorm(
    branch: Tensor,
    residual: Tensor,
    branchWeight: Tensor,
    nextWeight: Tensor,
    eps: number,
  ): [sum: Tensor, normed: Tensor];
  /** silu(gate) ⊙ up of [gate, up]: [..., 2F] → [..., F]. */
  swiglu(joined: Tensor): Tensor;
  /** Heads out of joined rows [B, T, (H + 2G)·D]: rotated q [B, T, H, D] and k [B, T, G, D], and v as it is. */
  splitRotate(joined: Tensor, rope: RopeTables, heads: number, kvHeads: number): [q: Tensor, k: Tensor, v: Tensor];
}

export const FUSED: Operators = {
  product: fusedLinear,
  norm: fusedRmsNorm,
  residualNorm: fusedResidualNorm,
  swiglu: fusedSwiglu,
  splitRotate: (joined, { cosBTP: cos, sinBTP: sin }, heads, kvHeads) =>
    fusedSplitRotate(joined, { cos, sin }, heads, kvHeads),
};

export const PLAIN: Operators = {
  product: (x, weight) => linear(x, weight),
  norm: rmsNorm,
  residualNorm(branch, residual, branchWeight, nextWeight, eps) {
    const sum = residual.add(rmsNorm(branch, branchWeight, eps));
    return [sum, rmsNorm(sum, nextWeight, eps)];
  },
  swiglu(joined) {
    const F = joined.size(-1) / 2;
    const [gate, up] = [joined.slice(-1, 0, F), joined.slice(-1, F, 2 * F)];
    return gate.silu().mul(up);
  },
  splitRotate(joined, rope, H, G) {
    const headsBTND = splitHeads(joined, H + 2 * G);
    const q = rotate(headsBTND.slice(2, 0, H), rope);
    return [q, rotate(headsBTND.slice(2, H, H + G), rope), headsBTND.slice(2, H + G, H + 2 * G)];
  },
};

/** The set for a model whose weights are like this one. */
export function operatorsFor(kernels: Kernels, like: Tensor): Operators {
  return kernels === 'fused' && fusedSupports(like) ? FUSED : PLAIN;
}

/** Whether attention without a cache is a kernel of our own too: float32 and bfloat16 on the CPU; elsewhere it is libtorch's. */
export function hasOwnAttention(kernels: Kernels, like: Tensor): boolean {
  return kernels === 'fused' && fusedAttends(like);
}

/** Whether a decoder's attention over pages is a kernel of our own, float32 on the CPU. */
export function hasPagedAttention(kernels: Kernels, like: Tensor): boolean {
  return kernels === 'fused' && fusable(like);
}

/** Rounded to the model's dtype before the product with w, as upstream has it. */
function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  const half = x.dtype === 'bfloat16' || x.dtype === 'float16';
  const wide = half ? x.to({ dtype: 'float32' }) : x;
  const normed = wide.mul(wide.square().mean(-1, true).add(eps).rsqrt());
  return (half ? normed.to({ dtype: x.dtype }) : normed).mul(weight);
}
