/**
 * What the training benchmark measures: models, shapes of a batch, and modes of a step. Nothing here loads libtorch.
 *
 * A mode is an objective of ours together with the mode of the PyTorch peer that it is held against. Where the two compute the
 * same thing, settings are the peer's (`Hyper` in lab/peer/looprpt.py), and the first step of both must agree.
 */
import { type LoopLMConfig, parseOuroConfig } from 'looprpt/internal/model/config.js';
import { loopRptConfigSchema } from 'looprpt/internal/objectives/looprpt/config.js';
import type { ObjectiveConfig } from 'looprpt/internal/objectives/objective.js';
import { type RunConfig, runConfigSchema } from 'looprpt/internal/train/run-config.js';

export interface BenchModel {
  name: string;
  hidden: number;
  layers: number;
  heads: number;
  ffn: number;
  vocab: number;
}

export const LOOPS = 4;

export const MODELS: readonly BenchModel[] = [
  { name: '0.1M', hidden: 64, layers: 1, heads: 4, ffn: 176, vocab: 512 },
  { name: '2M', hidden: 192, layers: 4, heads: 4, ffn: 512, vocab: 512 },
  { name: '12M', hidden: 384, layers: 6, heads: 6, ffn: 1024, vocab: 2048 },
  { name: '2M-vocab49k', hidden: 192, layers: 4, heads: 4, ffn: 512, vocab: 49_152 },
];

/** B rows of T places. */
export interface BatchShape {
  B: number;
  T: number;
}

export interface BenchMode {
  name: string;
  objective: ObjectiveConfig;
  /** The peer's mode. */
  peer: string;
  /** Both compute the same loss. */
  same: boolean;
  /** Ours runs each loop again in the backward pass. */
  recomputeLoops: boolean;
}

/** LoopRPT with the peer's settings; its KL is clamped at log-ratios of 5, ours is not, and no step here comes near. */
function likePeer(rollouts: 'hard' | 'full', policyGradient: 'gate' | 'backbone'): BenchMode {
  const objective = loopRptConfigSchema.parse({
    kind: 'looprpt',
    rho: 0.2,
    tau: 0.7,
    entropyAt: 'last',
    policy: 'rollouts',
    rollouts,
    policyGradient,
    alpha: 1,
    beta: 1,
    gamma: 0.02,
    delta: 0.05,
    lambdaBase: 0.1,
    lambdaScale: 1,
    rolloutCount: 8,
    sigma: 0.1,
    rewardFrom: 'own',
    advantage: 'token',
    advantageEpsilon: 1e-4,
    stdCorrection: 1,
    entropyGradient: 'backbone',
    weightGradient: 'none',
  });
  const name = `looprpt-${rollouts}-${policyGradient}`;
  return { name, objective, peer: name, same: true, recomputeLoops: false };
}

/** LoopRPT by the defaults, against whole noisy passes with gradients into the backbone. */
function ours(name: string, settings: { policy?: 'closed' }): BenchMode {
  const objective = loopRptConfigSchema.parse({ kind: 'looprpt', ...settings });
  return { name, objective, peer: 'looprpt-full-backbone', same: false, recomputeLoops: false };
}

/** A mode with less memory and more work; its useful FLOPs are the mode's. */
function recomputed(mode: BenchMode): BenchMode {
  return { ...mode, name: `${mode.name}-recompute`, recomputeLoops: true };
}

const EVERYDAY: readonly BenchMode[] = [
  { name: 'stage1', objective: { kind: 'stage1', beta: 0.05 }, peer: 'stage1', same: true, recomputeLoops: false },
  {
    name: 'uniform-ce',
    objective: { kind: 'uniform-ce', gateWeight: 0, slope: 50, threshold: 0.005 },
    peer: 'uniform-ce',
    same: true,
    recomputeLoops: false,
  },
  likePeer('hard', 'gate'),
  likePeer('hard', 'backbone'),
  likePeer('full', 'gate'),
  likePeer('full', 'backbone'),
  ours('looprpt', {}),
  ours('looprpt-closed', { policy: 'closed' }),
];

const RECOMPUTED = ['stage1', 'looprpt-full-backbone', 'looprpt'];

export const MODES: readonly BenchMode[] = [
  ...EVERYDAY,
  ...EVERYDAY.filter(({ name }) => RECOMPUTED.includes(name)).map(recomputed),
];

/** One model at one shape, with the modes to measure there. */
export interface BenchCase {
  model: BenchModel;
  shape: BatchShape;
  modes: readonly BenchMode[];
}

/** Everything, `quick` a part of it; `modes` and `shapes` replace the choice made here. */
export function chooseCases(choice: {
  models?: readonly string[] | undefined;
  shapes?: readonly BatchShape[] | undefined;
  modes?: readonly string[] | undefined;
  quick: boolean;
}): BenchCase[] {
  const { quick } = choice;
  const models = choice.models ?? (quick ? ['0.1M', '2M'] : MODELS.map(({ name }) => name));
  return models.flatMap((name) => {
    const model = MODELS.find((known) => known.name === name)!;
    const usual = usualOf(model, quick);
    const modes = choice.modes ?? usual.modes;
    return (choice.shapes ?? usual.shapes).map((shape) => ({
      model,
      shape,
      modes: MODES.filter(({ name: mode }) => modes.includes(mode)),
    }));
  });
}

const WIDE: BatchShape = { B: 16, T: 128 };
const LONG: BatchShape = { B: 4, T: 512 };

function usualOf({ name }: BenchModel, quick: boolean): { shapes: BatchShape[]; modes: string[] } {
  const all = EVERYDAY.map((mode) => mode.name);
  if (quick) return { shapes: [WIDE], modes: ['stage1', 'uniform-ce', 'looprpt-hard-gate', 'looprpt'] };
  // The large vocabulary is about the read-out; of the large model, full rollouts take minutes and 20 GB.
  if (name === '2M-vocab49k') return { shapes: [WIDE], modes: ['stage1', 'uniform-ce', 'looprpt-hard-gate'] };
  if (name === '12M') return { shapes: [WIDE, LONG], modes: all.filter((mode) => !mode.includes('-full-')) };
  return { shapes: [WIDE, LONG], modes: all };
}

export function modelConfig({ hidden, layers, heads, ffn, vocab }: BenchModel): LoopLMConfig {
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

/** The step as a run would be configured; the optimizer is the peer's. */
export function runConfig(objective: ObjectiveConfig, { B, T }: BatchShape): RunConfig {
  return runConfigSchema.parse({
    model: { from: 'random' },
    data: { shards: 'random' },
    objective,
    out: 'none',
    steps: 1,
    batch: { rows: B, sequenceLength: T },
    optimizer: { learningRate: 1e-3, gateLearningRateScale: 1, beta1: 0.9, beta2: 0.98, weightDecay: 0, clipNorm: 1 },
    teacherDecay: 0.995,
  });
}
