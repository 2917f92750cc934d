/**
 * Step 5's exploration: G passes in which noise ε^(k) ~ N(0, σ²I) is added to the recurrent state after every loop, and the exit that is
 * sampled from each.
 *
 * `full`: every place is noisy, as in the paper. `hard`: only the hard tokens' queries run again, each over the clean pass's keys
 * and values of the same loop and layer, which are taken as constants (hard-rollouts.ts).
 *
 * Noise enters only after loop 1, so every rollout takes loop 1 from the clean pass (exact, also for gradients).
 *
 * Shapes: B rows, T places, E hidden, K loops, G rollouts, M hard tokens.
 */
import { cat, noGrad, scope, type Tensor } from '@looprpt/engine';
import { atPlaces, inFloat32, statesAtStep } from '../../model/read-out.js';
import { type LoopRptConfig, readsNoisyPasses } from './config.js';
import { hardRollouts } from './hard-rollouts.js';
import type { Explored, RolloutInputs } from './rollout-types.js';
import { SampledExits } from './sampled-exits.js';

/** An object, so that a profile can time it from outside. */
export const exploration = {
  run: (inputs: RolloutInputs, config: LoopRptConfig): Explored =>
    config.rollouts === 'full' ? fullRollouts(inputs, config) : hardRollouts(inputs, config),
};

function fullRollouts(inputs: RolloutInputs, config: LoopRptConfig): Explored {
  const { model, hard, random } = inputs;
  const { rolloutCount: G, policyGradient, rewardFrom } = config;
  const { loops } = model.config;
  const isRead = readsNoisyPasses(config);
  const last = isRead ? 'recorded' : rewardFrom === 'own' ? 'constant' : 'none';
  const run = (): Tensor[] => fullStates(inputs, G, last);
  const statesK = policyGradient === 'gate' && !isRead ? noGrad(run) : run();
  const exits = new SampledExits([G, hard.placesN.size(0)], { loops, device: model.device });
  for (let loop = 0; loop < loops - 1; loop++) {
    const hiddenGME = policyGradient === 'gate' ? statesK[loop]!.detach() : statesK[loop]!;
    exits.after(loop, inFloat32(model.gateLogits(hiddenGME)), random, hard);
  }
  const { exitsGM, logProbsGM } = exits;
  const atExit = (): Tensor => statesAtStep(statesK, exitsGM);
  return {
    exitsGM,
    logProbsGM,
    statesGME: rewardFrom === 'own' ? noGrad(atExit) : null,
    noisyK: isRead ? statesK : null,
  };
}

/** States [G, M, E] at the hard tokens after each loop; after the last one, whose gate is not used, only if asked for. */
function fullStates(
  { model, batch, hard, clean, random }: RolloutInputs,
  G: number,
  last: 'none' | 'constant' | 'recorded',
): Tensor[] {
  const { loops } = model.config;
  // A rollout at a time: where no gradient is needed, one pass's states are all that lives at once.
  const perRolloutK = Array.from({ length: G }, (_, g) =>
    scope(() => {
      const perturb = (hiddenBTE: Tensor, loop: number): Tensor => random.perturb(hiddenBTE, loop, g);
      const statesK = [perturb(clean.statesK[0]!, 0)];
      const go = (until: number): void => {
        const start = { hiddenBTE: statesK.at(-1)!, after: statesK.length - 1 };
        statesK.push(...model.states(batch, { perturb, start, loops: until }, clean.context));
      };
      go(loops - 1);
      if (last === 'recorded') go(loops);
      else if (last === 'constant') noGrad(() => go(loops));
      return statesK.map((hiddenBTE) => atPlaces(hiddenBTE, hard.placesN).unsqueeze(0));
    }),
  );
  return perRolloutK[0]!.map((_, k) => cat(perRolloutK.map((ofRollout) => ofRollout[k]!)));
}
