/** The models and recipes of the table in docs/design/scale.md. */
import type { LoopLMConfig } from 'looprpt/internal/model/config.js';
import { type RunConfig, type RunConfigInput, runConfigSchema } from 'looprpt/internal/train/run-config.js';

function ouro(layers: number): LoopLMConfig {
  return {
    vocabSize: 49_152,
    hiddenSize: 2048,
    intermediateSize: 5632,
    layers,
    heads: 16,
    kvHeads: 16,
    headDim: 128,
    rmsNormEps: 1e-6,
    ropeTheta: 1e6,
    loops: 4,
    tieWordEmbeddings: false,
    initializerRange: 0.02,
    windows: Array.from({ length: layers }, () => null),
    exitThreshold: 1,
    exitLoop: null,
    bosTokenId: 0,
    eosTokenIds: [0],
    padTokenId: null,
    extra: {},
  };
}

export const MODELS = [
  { name: 'Ouro-1.4B', config: ouro(24) },
  { name: 'Ouro-2.6B', config: ouro(48) },
] as const;

export const OBJECTIVES: readonly { name: string; objective: RunConfigInput['objective'] }[] = [
  { name: 'stage I', objective: { kind: 'stage1' } },
  { name: 'LoopRPT, defaults', objective: { kind: 'looprpt' } },
  {
    name: 'LoopRPT, full rollouts, backbone',
    objective: { kind: 'looprpt', rollouts: 'full', policyGradient: 'backbone', entropyGradient: 'backbone' },
  },
];

/** Each rank's micro-batch is one row, and a step has so many of them. */
export const SEQUENCE = 2048;
export const ACCUMULATE = 8;

export function recipe(
  objective: RunConfigInput['objective'],
  { zero, recomputeLoops }: { zero: boolean; recomputeLoops: boolean },
): RunConfig {
  return runConfigSchema.parse({
    model: { from: 'ByteDance/Ouro' },
    data: { shards: 'shards' },
    objective,
    out: 'out',
    steps: 1,
    batch: { rows: 1, sequenceLength: SEQUENCE, accumulate: ACCUMULATE },
    dtype: 'bfloat16',
    device: 'cuda',
    memory: { recomputeLoops },
    distributed: { zero },
  });
}
