/**
 * Step 5's exploration: G passes in which noise ε^(k) ~ N(0, σ²I) is added to the recurrent state after every loop.
 *
 * `full`: every place is noisy, as written. `hard`: only the hard tokens' queries run again, each over the clean pass's keys
 * and values of the same loop and layer, which are taken as constants; the noise of other places is left out, and the cost falls
 * from G passes to about G·ρ without the key and value products.
 *
 * Noise enters only after loop 1, so every rollout takes loop 1 from the clean pass (exact, also for gradients).
 *
 * Shapes: B rows, T places, E hidden, K loops, G rollouts, M hard tokens, Q hard tokens of the fullest row.
 */
import { cat, cut, scope, type Tensor } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import { PassContext } from '../../model/pass.js';
import { runLoopQueries } from '../../model/stack.js';
import type { TrainingBatch } from '../batch.js';
import { atPlaces } from '../readout.js';
import type { LoopRptConfig } from './config.js';
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

/** States of the rollouts at the hard tokens: K tensors [G, M, E], each as gate and head see it (noise included). */
export function rollouts(inputs: RolloutInputs, { rollouts, rolloutCount }: LoopRptConfig): Tensor[] {
  return rollouts === 'full' ? fullRollouts(inputs, rolloutCount) : hardRollouts(inputs, rolloutCount);
}

function fullRollouts({ model, batch, hard, clean, random }: RolloutInputs, G: number): Tensor[] {
  // A rollout at a time: where no gradient is needed, one pass's states are all that lives at once.
  const perRolloutK = Array.from({ length: G }, (_, g) =>
    scope(() => {
      const perturb = (hiddenBTE: Tensor, loop: number): Tensor => random.perturb(hiddenBTE, loop, g);
      const firstBTE = perturb(clean.statesK[0]!, 0);
      const laterK = model.states(batch, { perturb, start: { hiddenBTE: firstBTE, after: 0 } }, clean.context);
      return [firstBTE, ...laterK].map((hiddenBTE) => atPlaces(hiddenBTE, hard.placesN).unsqueeze(0));
    }),
  );
  return clean.statesK.map((_, k) => cat(perRolloutK.map((ofRollout) => ofRollout[k]!)));
}

function hardRollouts({ model, batch, hard, clean, random }: RolloutInputs, G: number): Tensor[] {
  const [B, Q] = hard.placesBQ.shape as [number, number];
  const E = model.config.hiddenSize;
  const context = queryContext(model, batch, hard, G);
  // Rollouts are further queries of the same row: [B, G·Q].
  const startBQE = clean.statesK[0]!.gather(1, hard.placesBQ.unsqueeze(-1).expand(-1, -1, E));
  const noisy = random.perturbQueries(
    startBQE
      .unsqueeze(1)
      .expand(-1, G, -1, -1)
      .reshape(B, G * Q, E),
    0,
    G,
    hard,
  );
  // The gate reads it too, and the gathering of rows can be differentiated only once.
  let hidden = model.checkpointLoops ? cut(noisy) : noisy;
  const statesK = [hidden];
  for (let loop = 1; loop < model.config.loops; loop++) {
    hidden = runLoopQueries(model, hidden, clean.qkv[loop]!, clean.context, context);
    hidden = random.perturbQueries(hidden, loop, G, hard);
    statesK.push(hidden);
  }
  return statesK.map((stateBGQE) =>
    stateBGQE
      .view(B, G, Q, E)
      .transpose(0, 1)
      .reshape(G, B * Q, E)
      .indexSelect(1, hard.cellsM),
  );
}

/** The hard queries' own pass: each sees what the clean pass's place sees. */
function queryContext(model: LoopLM, batch: TrainingBatch, hard: HardTokens, G: number): PassContext {
  const placesBT = cat(
    Array.from({ length: G }, () => hard.placesBQ),
    1,
  );
  const at = (tableBT: Tensor): Tensor => tableBT.gather(1, placesBT);
  const positionsBT = batch.positionsBT ? at(batch.positionsBT) : placesBT;
  const firstKeyBT = batch.firstKeyBT ? at(batch.firstKeyBT) : null;
  return new PassContext(model.config, { placesBT, positionsBT, firstKeyBT, S: batch.T }, model.dtype);
}
