/**
 * What a worker of the CUDA benchmark is to do, ours or the peer's (lab/peer/bench_cuda.py): one JSON argument. Nothing here loads
 * libtorch.
 *
 * The worker answers a line with a line of JSON: "step" with one step of training, "memory" and "matmul" with what they say.
 */

import { type LoopLMConfig, parseOuroConfig } from 'looprpt/internal/model/config.js';
import { planRun } from 'looprpt/internal/train/plan/plan.js';
import { type RunConfig, runConfigSchema } from 'looprpt/internal/train/run-config.js';
import { z } from 'zod';
import { type BatchShape, LOOPS, MODES, runConfig } from '../cases.js';

const size = z.number().int().positive();

export const shapeSchema = z.strictObject({ hidden: size, layers: size, heads: size, ffn: size, vocab: size });
export type CudaShape = z.infer<typeof shapeSchema>;

export const SHAPES: Record<'ouro-1.4b' | 'tiny', CudaShape> = {
  'ouro-1.4b': { hidden: 2048, layers: 24, heads: 16, ffn: 5632, vocab: 49_152 },
  tiny: { hidden: 64, layers: 2, heads: 4, ffn: 176, vocab: 512 },
};

export const jobSchema = z.strictObject({
  mode: z.string().describe('of MODES for ours, of MODES in looprpt.py for the peer'),
  model: shapeSchema,
  batch: z.strictObject({ B: size, T: size }),
  device: z.string(),
  /** Run each loop again in the backward pass. */
  recomputeLoops: z.boolean(),
  threads: size,
  /** int32, steps × B × (T + 1). */
  tokens: z.string(),
  /** The peer alone: its layers through torch.compile. */
  compile: z.boolean(),
});
export type Job = z.infer<typeof jobSchema>;

export const CUDA_MODES: readonly string[] = ['stage1', 'looprpt-hard-gate', 'looprpt'];

/** The peer's mode that is nearest: for the default mode the same algorithm with the peer's settings. */
export function peerMode(mode: string): string {
  return mode === 'looprpt' ? 'looprpt-hard-gate' : mode;
}

export function modelConfigOf({ hidden, layers, heads, ffn, vocab }: CudaShape): LoopLMConfig {
  const shape = {
    model_type: 'ouro',
    vocab_size: vocab,
    hidden_size: hidden,
    intermediate_size: ffn,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    total_ut_steps: LOOPS,
  };
  return parseOuroConfig(shape, 'the benchmark');
}

/** The step as a run in bfloat16 would be configured. */
export function runConfigOf({ mode, batch, device, recomputeLoops }: Omit<Job, 'tokens' | 'compile'>): RunConfig {
  const { objective } = MODES.find(({ name }) => name === mode)!;
  const half = { dtype: 'bfloat16', device, memory: { recomputeLoops } } as const;
  return runConfigSchema.parse({ ...runConfig(objective, batch), ...half });
}

/** Useful FLOPs of one step (train/plan.ts), loops that run again not among them, and the bytes that it will need. */
export function planOf(job: Omit<Job, 'tokens' | 'compile'>): { flops: number; bytes: number } {
  const { flops, memory } = planRun({ config: runConfigOf(job), model: modelConfigOf(job.model) });
  return { flops: flops.student + flops.teacher + flops.rollouts, bytes: memory.total };
}

export function tokensOf({ B, T }: BatchShape): number {
  return B * T;
}

const nonNegative = z.number().nonnegative();

export const stepSchema = z.object({
  seconds: z.number().positive().describe('of the whole step, until the device has done it'),
  loss: z.number(),
  parts: z.record(z.string(), z.number()).describe('of the loss, before their weights'),
});
export type CudaStep = z.infer<typeof stepSchema>;

export const memorySchema = z.object({
  peak: nonNegative.nullable().describe('most bytes taken of the device so far (CPU: resident); null if unknown'),
  whole: nonNegative.nullable().describe('bytes of the device'),
});
export type CudaMemory = z.infer<typeof memorySchema>;

export const matmulSchema = z.object({
  flops: z.number().positive().describe('a second, in a large bfloat16 product'),
});
