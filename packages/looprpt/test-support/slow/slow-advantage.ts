/**
 * Normalised advantages over groups of rewards. A group is what one hard token has: its G rollouts, or its K loops.
 * Nothing here is differentiated.
 */
import { mean } from './slow-readout.js';

export interface AdvantageSettings {
  /** token: (r - mean) / (std + epsilon) in each group; batch: over all groups together; none: the rewards as they are. */
  advantage: 'token' | 'batch' | 'none';
  epsilon: number;
  /** 0: population std, divided by n; 1: by n - 1. */
  stdCorrection: 0 | 1;
}

export function normalise(groups: readonly number[][], settings: AdvantageSettings): number[][] {
  if (settings.advantage === 'none') return groups.map((group) => [...group]);
  const everything = groups.flat();
  return groups.map((group) => {
    const population = settings.advantage === 'token' ? group : everything;
    const centre = mean(population);
    const squares = population.reduce((sum, r) => sum + (r - centre) ** 2, 0);
    const std = Math.sqrt(squares / (population.length - settings.stdCorrection));
    return group.map((r) => (r - centre) / (std + settings.epsilon));
  });
}

/**
 * The same with mean and variance as expectations under `weights` (one probability vector per group); over the batch,
 * groups count equally. `stdCorrection` does not apply.
 */
export function normaliseWeighted(
  groups: readonly number[][],
  weights: readonly number[][],
  settings: Pick<AdvantageSettings, 'advantage' | 'epsilon'>,
): number[][] {
  if (settings.advantage === 'none') return groups.map((group) => [...group]);
  const expectation = (n: number, f: (r: number) => number) =>
    groups[n]!.reduce((sum, r, k) => sum + weights[n]![k]! * f(r), 0);
  return groups.map((group, n) => {
    const members = settings.advantage === 'token' ? [n] : groups.map((_, m) => m);
    const centre = mean(members.map((m) => expectation(m, (r) => r)));
    const variance = mean(members.map((m) => expectation(m, (r) => (r - centre) ** 2)));
    return group.map((r) => (r - centre) / (Math.sqrt(variance) + settings.epsilon));
  });
}
