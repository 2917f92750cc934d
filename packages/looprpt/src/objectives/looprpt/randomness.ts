/**
 * Everything in a LoopRPT step that is drawn by chance, in one place: the latent noise and the sampled exits. Each has a
 * generator of its own, whose state belongs to a checkpoint. Tests put fixed numbers here.
 *
 * Shapes: B rows, T places, E hidden, G rollouts, Q hard tokens of the fullest row, M hard tokens, K loops.
 */
import { empty, type Generator, op, scope, type Tensor } from '@looprpt/engine';
import type { HardTokens } from './hard-tokens.js';

export interface Randomness {
  /** h^(k) + ε for a whole pass, [B, T, E]; loops and rollouts from 0. */
  perturb(hiddenBTE: Tensor, loop: number, rollout: number): Tensor;
  /** The same for hard-token queries [B, G·Q, E], rollout by rollout. */
  perturbQueries(hidden: Tensor, loop: number, G: number, hard: HardTokens): Tensor;
  /** t^(g) ~ π^(g): from π [K, G, M] one loop (from 0) each, int64 [G, M]. */
  sampleExits(pdfKGM: Tensor, hard: HardTokens): Tensor;
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

  sampleExits(pdfKGM: Tensor): Tensor {
    const [K, G, M] = pdfKGM.shape as [number, number, number];
    const pdfNK = pdfKGM.reshape(K, G * M).transpose(0, 1);
    const exitsN = pdfKGM.device === 'cpu' ? pdfNK.multinomial(1, true, this.#exits) : race(pdfNK, this.#exits);
    return exitsN.view(G, M);
  }

  #withNoise(hidden: Tensor): Tensor {
    if (this.#sigma === 0) return hidden;
    const { shape, dtype, device } = hidden;
    return scope(() => empty(shape, { dtype, device }).normal_(0, this.#sigma, this.#noise).add(hidden));
  }
}

/**
 * One column of every row [N, K] with the row's weights → int64 [N], as `multinomial` without replacement draws it, but without that
 * operator's check of the weights, for which a device would have to be waited for.
 */
export function race(weightsNK: Tensor, generator: Generator): Tensor {
  const clocksNK = op('aten::exponential_')(op('aten::empty_like')(weightsNK), 1, { generator });
  return weightsNK.div(clocksNK).argmax(-1);
}
