/**
 * Fused operators of the addon, each with its own gradient: one pass over memory where plain operators take several.
 *
 * Kernels of our own take contiguous float32 tensors on the CPU (`fusable`), those of norms, SwiGLU, attention and read-outs bfloat16 too. For
 * other dtypes and devices, norms, SwiGLU, products and read-outs are made of libtorch's operators, with gradients that keep little
 * (`fusedSupports`); attention is not, and `fusedSplitRotate` prepares its heads. Everything can be had from plain operators too, and tests hold the two against each other.
 *
 * Shapes: N or B·T rows, E hidden, F MLP, V vocabulary, H query heads, G key heads, D head size, P = D/2, C queries, S keys.
 */
import { type Handle, native } from './native.js';
import { Tensor } from './tensor.js';

const id = (name: string): number => native.resolve(`looprpt::${name}`, '');
const OP = {
  rmsNorm: id('rms_norm'),
  residualNorm: id('residual_norm'),
  splitRotate: id('split_rotate'),
  swiglu: id('swiglu'),
  attention: id('attention'),
  queryAttention: id('query_attention'),
  targetLogProb: id('target_log_prob'),
  nextTokenEntropy: id('next_token_entropy'),
  linear: id('linear'),
  gemmProvider: id('gemm_provider'),
  adamw: id('adamw_'),
} as const;

/** Whether the kernels of our own apply to tensors like this one. */
export function fusable(like: Tensor): boolean {
  return like.dtype === 'float32' && like.device === 'cpu';
}

/** Whether fused attention applies to rows like these: those kernels take bfloat16 too. */
export function fusedAttends(rows: Tensor): boolean {
  return (rows.dtype === 'float32' || rows.dtype === 'bfloat16') && rows.device === 'cpu';
}

/**
 * Whether all fused operators but attention and the optimizer's apply: float32 and half precision, on any device. (They work in
 * float64 too, which is for reference, by plain operators.)
 */
export function fusedSupports({ dtype }: Tensor): boolean {
  return dtype === 'float32' || dtype === 'bfloat16' || dtype === 'float16';
}

/** w ⊙ x / √(mean(x²) + ε) over the last dimension. */
export function fusedRmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  return new Tensor(native.call(OP.rmsNorm, x.handle, weight.handle, eps) as Handle);
}

/** sum = residual + N(branch; branchWeight) and normed = N(sum; nextWeight): [sum, normed]. */
export function fusedResidualNorm(
  branch: Tensor,
  residual: Tensor,
  branchWeight: Tensor,
  nextWeight: Tensor,
  eps: number,
): [Tensor, Tensor] {
  const [sum, normed] = native.call(
    OP.residualNorm,
    branch.handle,
    residual.handle,
    branchWeight.handle,
    nextWeight.handle,
    eps,
  ) as [Handle, Handle];
  return [new Tensor(sum), new Tensor(normed)];
}

/** silu(gate) ⊙ up of joined = [gate, up]: [..., 2F] → [..., F]. */
export function fusedSwiglu(joined: Tensor): Tensor {
  return new Tensor(native.call(OP.swiglu, joined.handle) as Handle);
}

/** Heads out of joined rows [B, T, (H + 2G)·D]: rotated q [B, T, H, D] and k [B, T, G, D], and v as it is. */
export function fusedSplitRotate(
  qkv: Tensor,
  { cos, sin }: AngleTables,
  heads: number,
  kvHeads: number,
): [q: Tensor, k: Tensor, v: Tensor] {
  const parts = native.call(OP.splitRotate, qkv.handle, cos.handle, sin.handle, heads, kvHeads) as Handle[];
  return parts.map((handle) => new Tensor(handle)) as [Tensor, Tensor, Tensor];
}

/** y = x·Wᵀ: x [..., in], weight [out, in]. */
export function fusedLinear(x: Tensor, weight: Tensor): Tensor {
  return new Tensor(native.call(OP.linear, x.handle, weight.handle) as Handle);
}

/** Whose float32 matrix product the fused operators use: 'oneDNN' or 'libtorch'. */
export function gemmProvider(): string {
  return native.call(OP.gemmProvider) as string;
}

export interface AttentionHeads {
  heads: number;
  kvHeads: number;
  /** How many keys back a query sees, itself included; null for all. */
  window: number | null;
}

/** cos and sin by place, [B or 1, places, P] each; for attention in float32. */
export interface AngleTables {
  cos: Tensor;
  sin: Tensor;
}

/**
 * Rotary causal attention over joined, unrotated rows (`fusedAttends`).
 * @param qkv [B, T, (H + 2G)·D] @param first int64 [B, T], the first key that each place sees; null for 0
 * @returns [B, T, H·D]
 */
export function fusedAttention(
  qkv: Tensor,
  angles: AngleTables,
  first: Tensor | null,
  { heads, kvHeads, window }: AttentionHeads,
): Tensor {
  const { cos, sin } = angles;
  const firstHandle = first === null ? null : first.handle;
  return new Tensor(
    native.call(OP.attention, qkv.handle, cos.handle, sin.handle, firstHandle, heads, kvHeads, window ?? 0) as Handle,
  );
}

/**
 * Queries over the keys and values of a finished pass, which are constants.
 * @param q [B, C, H·D], unrotated @param qkv that pass's joined rows [B, S, (H + 2G)·D] @param last int64 [B, C], each query's place
 * among the keys @returns [B, C, H·D]
 */
export function fusedQueryAttention(
  q: Tensor,
  qkv: Tensor,
  queryAngles: AngleTables,
  keyAngles: AngleTables,
  places: { last: Tensor; first: Tensor | null },
  { heads, kvHeads, window }: AttentionHeads,
): Tensor {
  const handle = native.call(
    OP.queryAttention,
    q.handle,
    qkv.handle,
    queryAngles.cos.handle,
    queryAngles.sin.handle,
    keyAngles.cos.handle,
    keyAngles.sin.handle,
    places.last.handle,
    places.first === null ? null : places.first.handle,
    heads,
    kvHeads,
    window ?? 0,
  );
  return new Tensor(handle as Handle);
}

/** log softmax(W·h)[target]: hidden [N, E], weight [V, E], int64 targets [N] → [N]. */
export function fusedTargetLogProb(hidden: Tensor, weight: Tensor, targets: Tensor): Tensor {
  return new Tensor(native.call(OP.targetLogProb, hidden.handle, weight.handle, targets.handle) as Handle);
}

/** Entropy of softmax(W·h), nats: hidden [N, E], weight [V, E] → [N]; no gradient. */
export function fusedNextTokenEntropy(hidden: Tensor, weight: Tensor): Tensor {
  return new Tensor(native.call(OP.nextTokenEntropy, hidden.handle, weight.handle) as Handle);
}

export interface AdamWStep {
  /** Factor on the gradient (clipping). */
  scale: number;
  beta1: number;
  beta2: number;
  /** Factor on the parameter (decoupled decay). */
  keep: number;
  /** η / (1 − β1ᵗ) */
  step: number;
  /** 1 / (1 − β2ᵗ) */
  varianceScale: number;
  epsilon: number;
}

/**
 * m ← β1 m + (1 − β1) g, v ← β2 v + (1 − β2) g², θ ← keep·θ − step·m / (√(v·varianceScale) + ε), in place.
 * @param parameter float32, as are `mean` and `variance` @param gradient float32 or bfloat16
 * @param copy bfloat16, takes the stepped parameter too; null for none
 */
export function fusedAdamW_(
  parameter: Tensor,
  gradient: Tensor,
  mean: Tensor,
  variance: Tensor,
  s: AdamWStep,
  copy: Tensor | null = null,
): void {
  const tensors = [
    parameter.handle,
    gradient.handle,
    mean.handle,
    variance.handle,
    copy === null ? null : copy.handle,
  ] as const;
  native.call(OP.adamw, ...tensors, s.scale, s.beta1, s.beta2, s.keep, s.step, s.varianceScale, s.epsilon);
}
