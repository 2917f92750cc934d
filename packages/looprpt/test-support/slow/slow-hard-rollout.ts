/**
 * A noisy rollout of one position alone, over the keys and values of a clean pass: what `rollouts: hard` means.
 *
 * Loop 1 is the clean one, so the rollout starts at h^(1) + noise. In every later loop and layer the noisy position
 * attends to the clean keys and values of that loop and layer at all positions that it may see, its own clean key and
 * value included; the noisy state itself never becomes a key. Rollouts therefore do not see each other.
 */

import type { SlowConfig, SlowInput, SlowParams, SlowPass } from './slow-loop-lm.js';
import { addVectors, endOfLoop, isVisible, layerAt, rotaryPositions } from './slow-loop-lm.js';

/** Clean passes that a rollout stands on; two, because a gradient may reach one and not the other. */
export interface CleanPasses {
  /** gives h^(1) */
  start: SlowPass;
  /** gives the keys and values of loops 2 to K */
  context: SlowPass;
}

/** Noisy states [k][e] of row b, position s; `noise` is [k][e], already scaled. */
export function hardRollout(
  config: SlowConfig,
  params: SlowParams,
  clean: CleanPasses,
  input: SlowInput,
  b: number,
  s: number,
  noise: readonly number[][],
): number[][] {
  const position = rotaryPositions(input)[b]![s]!;
  let x = addVectors(clean.start.hidden[0]![b]![s]!, noise[0]!);
  const states = [x];
  for (let k = 1; k < config.loops; k++) {
    for (let layer = 0; layer < config.layers; layer++) {
      const context = clean.context.keyValues[k]![layer]![b]!.filter((_, j) => isVisible(input, b, s, j));
      x = layerAt(config, params, layer, x, position, context);
    }
    x = endOfLoop(config, params, x, noise[k]!);
    states.push(x);
  }
  return states;
}
