/**
 * What rollouts start from and what comes out of them, for both ways to run them.
 *
 * Shapes: B rows, T places, E hidden, G rollouts, M hard tokens, C = (H + 2G)·D joined rows.
 */
import type { Tensor } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import type { PassContext } from '../../model/pass.js';
import type { TrainingBatch } from '../batch.js';
import type { HardTokens } from './hard-tokens.js';
import type { Randomness } from './randomness.js';

/** The clean pass that rollouts start from. */
export interface CleanPass {
  statesK: readonly Tensor[];
  context: PassContext;
  /** Joined, unrotated q, k and v rows [B, T, C] by loop and layer, detached; only with hard rollouts. */
  qkv: readonly (readonly Tensor[])[];
}

export interface RolloutInputs {
  model: LoopLM;
  batch: TrainingBatch;
  hard: HardTokens;
  clean: CleanPass;
  random: Randomness;
}

export interface Explored {
  /** t^(g), loops from 0, int64 [G, M]. */
  exitsGM: Tensor;
  /** log π^(g)(t^(g)), [G, M], with gradients into the gate, and further where the policy gradient reaches the backbone. */
  logProbsGM: Tensor;
  /** Every rollout's state at its exit as head and gate see it (noise included), [G, M, E], without gradient; only for rewards from it. */
  statesGME: Tensor | null;
  /** The states [G, M, E] after every loop, with gradients; only where the divergence from the teacher reads them. */
  noisyK: readonly Tensor[] | null;
}
