/** What docs/design/scale.md assumes of hardware, and the time of a step that follows. Estimates; nothing is measured here. */
import type { RunPlan } from 'looprpt/internal/train/plan/plan.js';
import type { RunConfig } from 'looprpt/internal/train/run-config.js';

export interface Machine {
  name: string;
  /** Of one GPU, bytes. */
  memory: number;
  /** Dense bfloat16 products of one GPU, a second. */
  peakFlops: number;
  /** Share of them that a step reaches while it computes. */
  utilisation: number;
  gpusPerNode: number;
  /** What one GPU sends and receives at the same time, bytes a second. */
  insideNode: number;
  betweenNodes: number;
}

/** An H100 with 80 GB (SXM), 8 of them in a machine, 400 Gbit/s of network for each, of which four fifths are reached. */
export const H100_NODE: Machine = {
  name: 'H100 80 GB',
  memory: 80e9,
  peakFlops: 989e12,
  utilisation: 0.4,
  gpusPerNode: 8,
  insideNode: 300e9,
  betweenNodes: 40e9,
};

export interface StepTime {
  /** Seconds. */
  compute: number;
  /** Of what is sent, the part that does not fit behind the backward pass. */
  exposed: number;
  total: number;
  /** Of all ranks together. */
  tokensPerSecond: number;
}

/** Sums of gradients go on beside the last micro-batch's backward pass, unless loops are run again in it; gathers do not. */
export function stepTime(plan: RunPlan, { batch, memory }: RunConfig, ranks: number, machine: Machine): StepTime {
  const { flops, traffic, tokens } = plan;
  const compute = flops.perStep / (machine.peakFlops * machine.utilisation);
  const bandwidth = ranks > machine.gpusPerNode ? machine.betweenNodes : machine.insideNode;
  const backward = ((2 / 3) * flops.student * compute) / flops.perStep / batch.accumulate;
  const hidden = memory.recomputeLoops ? 0 : Math.min(backward, traffic.gradients / bandwidth);
  const exposed = traffic.total / bandwidth - hidden;
  const total = compute + exposed;
  return { compute, exposed, total, tokensPerSecond: (ranks * tokens.perStep) / total };
}
