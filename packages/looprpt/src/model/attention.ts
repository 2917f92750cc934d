/**
 * Causal attention by plain operators, grouped heads included.
 *
 * Which keys a query sees is one number per query: `firstKey`. A query at place i sees the keys firstKey..i. That covers
 * packed documents (the place where its document starts), left padding (the first real token) and sliding windows.
 *
 * Shapes: B batch, T queries, S keys (S ≥ T; the last T keys are the queries' own places), H query heads, G key heads,
 * R = H/G, D head size.
 */
import { arange, type DType, full, hasOperator, op, type Tensor, where, zeros } from '@looprpt/engine';

/** What a query may see. */
export interface Visibility {
  /** Additive bias [B or 1, T, S]: 0 or the dtype's lowest value; null for plain causal attention over T = S places. */
  biasBTS: Tensor | null;
}

/**
 * What each query may see of S keys.
 * @param placesBT int64 [B or 1, T]: the queries' own places among the keys
 * @param firstKeyBT int64 [B, T] or null (0 everywhere)
 * @param window how many keys back a query sees, itself included; null for all
 */
export function visibilityAt(
  placesBT: Tensor,
  S: number,
  firstKeyBT: Tensor | null,
  window: number | null,
  dtype: DType,
): Visibility {
  const keyS = arange(0, S, { device: placesBT.device });
  const placesBT1 = placesBT.unsqueeze(-1);
  let visible = keyS.le(placesBT1);
  if (firstKeyBT) visible = visible.logicalAnd(keyS.ge(firstKeyBT.unsqueeze(-1)));
  if (window !== null) visible = visible.logicalAnd(keyS.gt(placesBT1.sub(window)));
  return { biasBTS: biasOf(visible, dtype) };
}

/** 0 where visible, else the lowest finite value (not −∞: a row that sees nothing stays finite). */
export function biasOf(visible: Tensor, dtype: DType): Tensor {
  const lowest = {
    float32: -3.4028234663852886e38,
    bfloat16: -3.3895313892515355e38,
    float16: -65504,
    float64: -1.7976931348623157e308,
  }[dtype as 'float32'];
  const options = { dtype, device: visible.device };
  return where(visible, zeros([], options), full([], lowest, options));
}

const hasFusedAttention = hasOperator('aten::scaled_dot_product_attention');

/**
 * softmax(q·kᵀ/√D + bias)·v.
 * @param qBTHD rotated queries @param kBSGD rotated keys @param vBSGD values
 * @returns [B, T, H·D], heads concatenated
 */
export function attention(qBTHD: Tensor, kBSGD: Tensor, vBSGD: Tensor, { biasBTS }: Visibility): Tensor {
  const [B, T, H, D] = qBTHD.shape as [number, number, number, number];
  const G = kBSGD.size(2);
  const R = H / G;
  const qBHTD = qBTHD.transpose(1, 2);
  const kBGSD = kBSGD.transpose(1, 2);
  const vBGSD = vBSGD.transpose(1, 2);
  if (hasFusedAttention) {
    const share = (xBGSD: Tensor): Tensor => (R === 1 ? xBGSD : xBGSD.repeatInterleave(R, 1));
    const bias = biasBTS ? biasBTS.unsqueeze(1) : null;
    const outBHTD = op('aten::scaled_dot_product_attention')(qBHTD, share(kBGSD), share(vBGSD), bias, 0, bias === null);
    return outBHTD.transpose(1, 2).reshape(B, T, H * D);
  }
  // The query heads of a group are rows of one product with the group's keys.
  const rowsBGQD = qBHTD.mul(D ** -0.5).reshape(B, G, R * T, D);
  const scoresBGRTS = rowsBGQD.matmul(kBGSD.transpose(2, 3)).view(B, G, R, T, kBSGD.size(1));
  const bias = biasBTS ?? causalBias(T, qBTHD);
  const biased = scoresBGRTS.add(bias.unsqueeze(1).unsqueeze(1));
  const weights = (biased.dtype === 'float32' || biased.dtype === 'float64' ? biased : biased.to({ dtype: 'float32' }))
    .softmax(-1)
    .to({ dtype: qBTHD.dtype });
  const outBGQD = weights.view(B, G, R * T, kBSGD.size(1)).matmul(vBGSD);
  return outBGQD
    .view(B, H, T, D)
    .transpose(1, 2)
    .reshape(B, T, H * D);
}

function causalBias(T: number, like: Tensor): Tensor {
  const place = arange(0, T, { device: like.device });
  return biasOf(place.le(place.unsqueeze(-1)).unsqueeze(0), like.dtype);
}
