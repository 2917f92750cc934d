/**
 * The exit distribution over loops and the rules that choose one.
 *
 * λ^(k) = σ(a^(k)); survival s^(1) = 1, s^(k+1) = s^(k)(1 − λ^(k)); π(k) = s^(k) λ^(k) for k < K and π(K) = s^(K). The last
 * gate is never used. Tensors here have the loops first: K × (any shape); loops are counted from 0 inside the code.
 */
import { cat, op, stack, type Tensor, zeros } from '@looprpt/engine';

/** log π from gate logits [K, …], stable where λ is near 0 or 1, with gradients. */
export function exitLogPdf(gateLogitsK: Tensor): Tensor {
  const loops = gateLogitsK.size(0);
  const zero = gateLogitsK.slice(0, 0, 1).mul(0);
  if (loops === 1) return zero;
  const usedK = gateLogitsK.slice(0, 0, loops - 1);
  const logStayK = usedK.neg().logSigmoid();
  const logSurvivalK = cat([zero, logStayK.cumsum(0)]);
  // log σ(a) = log σ(−a) + a
  const logLeaveK = cat([logStayK.add(usedK), zero]);
  return logSurvivalK.add(logLeaveK);
}

/**
 * π from gate logits [K, …] by the recursion that upstream runs, in the logits' own dtype: the exit rule compares sums of
 * these numbers, so their rounding decides.
 */
export function exitPdf(gateLogitsK: Tensor): Tensor {
  const loops = gateLogitsK.size(0);
  const pdf: Tensor[] = [];
  let survival: Tensor | undefined;
  for (let k = 0; k < loops - 1; k++) {
    const leave = gateLogitsK.select(0, k).sigmoid();
    pdf.push(survival ? leave.mul(survival) : leave);
    survival = survival ? survival.mul(leave.rsub(1)) : leave.rsub(1);
  }
  pdf.push(
    survival ?? zeros(gateLogitsK.shape.slice(1), { dtype: gateLogitsK.dtype, device: gateLogitsK.device }).add(1),
  );
  return stack(pdf);
}

/** Running sums of π over the loops, [K, …]. */
export function exitCdf(pdfK: Tensor): Tensor {
  // Upstream sums along the last, contiguous dimension: the same order of additions, so the same last bits.
  return pdfK
    .permute(...pdfK.shape.slice(1).map((_, i) => i + 1), 0)
    .contiguous()
    .cumsum(-1)
    .permute(pdfK.dim - 1, ...pdfK.shape.slice(1).map((_, i) => i));
}

/**
 * The first loop (from 0) whose cdf reaches the threshold, the last if none does; int64 of shape […].
 * A threshold ≤ 0 gives the first loop, one > 1 the last.
 */
export function exitStep(cdfK: Tensor, threshold: number): Tensor {
  const loops = cdfK.size(0);
  // Ties count as reached; thresholds are compared in float32 as upstream does.
  const reachedK = cdfK.to({ dtype: 'float32' }).ge(Math.fround(threshold));
  const beforeK = reachedK.slice(0, 0, loops - 1).to({ dtype: 'int64' });
  if (loops === 1) return reachedK.select(0, 0).to({ dtype: 'int64' }).mul(0);
  // 1 from the first loop that reached it on: the number of zeros before it is its index.
  const sinceK = op('aten::cummax')<[Tensor, Tensor]>(beforeK, 0)[0];
  return sinceK.rsub(1).sum(0);
}

/** Picks entry step[…] of values [K, …] → […]. */
export function atStep(valuesK: Tensor, step: Tensor): Tensor {
  return valuesK.gather(0, step.unsqueeze(0)).squeeze(0);
}

/** H(π) = −Σ_k π(k) log π(k) per position, nats, from log π [K, …]. */
export function exitEntropy(logPdfK: Tensor): Tensor {
  return logPdfK.exp().mul(logPdfK).sum(0).neg();
}

/** Mean number of loops, Σ_k k π(k) with k from 1, per position. */
export function meanLoops(pdfK: Tensor): Tensor {
  let sum = pdfK.select(0, 0);
  for (let k = 1; k < pdfK.size(0); k++) sum = sum.add(pdfK.select(0, k).mul(k + 1));
  return sum;
}
