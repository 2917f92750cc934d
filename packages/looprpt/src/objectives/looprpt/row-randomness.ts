/**
 * LoopRPT's noise and sampled exits, drawn for every row of the data from generators of its own (row-key.ts).
 *
 * Shapes: B rows, T places, E hidden, G rollouts, Q hard tokens of the fullest row, M hard tokens.
 */
import { cat, empty, Generator, scope, type Tensor, zeros } from '@looprpt/engine';
import { type RowKey, rowSeed } from '../row-key.js';
import type { HardTokens } from './hard-tokens.js';
import { LatentRandomness, type Randomness } from './randomness.js';

export class RowRandomness implements Randomness, Disposable {
  readonly #sigma: number;
  readonly #generators: { noise: Generator; exits: Generator }[];
  readonly #exits: LatentRandomness[];

  /**
   * @param sigma σ
   * @param keys of the rows of the batch, in order
   */
  constructor(sigma: number, keys: readonly RowKey[], device: string) {
    this.#sigma = sigma;
    this.#generators = keys.map((key) => ({
      noise: new Generator(rowSeed(key, 1), device),
      exits: new Generator(rowSeed(key, 2), device),
    }));
    this.#exits = this.#generators.map((generators) => new LatentRandomness(0, generators));
  }

  perturb(hiddenBTE: Tensor): Tensor {
    return this.#sigma === 0 ? hiddenBTE : scope(() => this.#noise(hiddenBTE, 1, null).add(hiddenBTE));
  }

  /** A row's noise depends on its own hard tokens alone; the places that fill it up to Q get none. */
  perturbQueries(hidden: Tensor, _loop: number, G: number, { perRow }: HardTokens): Tensor {
    return this.#sigma === 0 ? hidden : scope(() => this.#noise(hidden, G, perRow).add(hidden));
  }

  /**
   * Noise of the shape of `hidden`, [B, G·Q, E], drawn for `perRow[b]` of every Q places, or for all. Half precision has the float32
   * draws rounded: libtorch draws those many at a time, and bfloat16 one by one.
   */
  #noise(hidden: Tensor, G: number, perRow: Int32Array | null): Tensor {
    const [B, GQ, E] = hidden.shape as [number, number, number];
    const Q = GQ / G;
    const device = hidden.device;
    const dtype = hidden.dtype === 'float64' ? 'float64' : 'float32';
    const everywhere = perRow === null || perRow.every((n) => n === Q);
    const noiseBGQE = (everywhere ? empty : zeros)([B, G, Q, E], { dtype, device });
    this.#generators.forEach(({ noise: generator }, b) => {
      const n = perRow?.[b] ?? Q;
      const row = noiseBGQE.slice(0, b, b + 1);
      if (n === Q) row.normal_(0, this.#sigma, generator);
      else row.slice(2, 0, n).copy_(empty([1, G, n, E], { dtype, device }).normal_(0, this.#sigma, generator));
    });
    return noiseBGQE.view(B, GQ, E).to({ dtype: hidden.dtype });
  }

  leaves(loop: number, leaveGM: Tensor, { perRow }: HardTokens): Tensor {
    let from = 0;
    const ofRows = this.#exits.flatMap((row, b) => {
      const start = from;
      from += perRow[b]!;
      return start === from ? [] : [row.leaves(loop, leaveGM.slice(1, start, from))];
    });
    return cat(ofRows, 1);
  }

  [Symbol.dispose](): void {
    for (const { noise, exits } of this.#generators) {
      noise.dispose();
      exits.dispose();
    }
  }
}
