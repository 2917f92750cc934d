/**
 * Everything in a LoopRPT step that is drawn by chance, in one place: the latent noise and the sampled exits. Each has a
 * generator of its own, whose state belongs to a checkpoint. Tests put fixed numbers here.
 *
 * Shapes: B rows, T places, E hidden, G rollouts, Q hard tokens of the fullest row, M hard tokens.
 */
import { empty, type Generator, scope, type Tensor } from '@looprpt/engine';
import type { HardTokens } from './hard-tokens.js';

export interface Randomness {
  /** h^(k) + ε for a whole pass, [B, T, E]; loops and rollouts from 0. */
  perturb(hiddenBTE: Tensor, loop: number, rollout: number): Tensor;
  /** The same for hard-token queries [B, G·Q, E], rollout by rollout. */
  perturbQueries(hidden: Tensor, loop: number, G: number, hard: HardTokens): Tensor;
  /**
   * Which passes stop after a loop (from 0), each with probability λ^(k), [G, M] → bool [G, M]. Asked for all passes, loop by loop; what
   * it says of those that have stopped does not count.
   */
  leaves(loop: number, leaveGM: Tensor, hard: HardTokens): Tensor;
}

export class LatentRandomness implements Randomness {
  readonly #sigma: number;
  readonly #noise: Generator;
  readonly #exits: Generator;

  /** @param sigma σ, standard deviation of the noise on every feature */
  constructor(sigma: number, generators: { noise: Generator; exits: Generator }) {
    this.#sigma = sigma;
    this.#noise = generators.noise;
    this.#exits = generators.exits;
  }

  perturb(hiddenBTE: Tensor): Tensor {
    return this.#withNoise(hiddenBTE);
  }

  perturbQueries(hidden: Tensor): Tensor {
    return this.#withNoise(hidden);
  }

  leaves(_loop: number, leaveGM: Tensor): Tensor {
    const { shape, dtype, device } = leaveGM;
    return scope(() => empty(shape, { dtype, device }).uniform_(0, 1, this.#exits).lt(leaveGM));
  }

  #withNoise(hidden: Tensor): Tensor {
    if (this.#sigma === 0) return hidden;
    const { shape, dtype, device } = hidden;
    return scope(() => empty(shape, { dtype, device }).normal_(0, this.#sigma, this.#noise).add(hidden));
  }
}
