/** Chance with the outcome given: the noise and the exits of a slow LoopRPT set-up, handed to the product's step. */
import assert from 'node:assert/strict';
import { type Tensor, tensor } from '@looprpt/engine';
import type { HardTokens } from '../objectives/looprpt/hard-tokens.js';
import type { Randomness } from '../objectives/looprpt/randomness.js';
import type { SlowLoopRptSetup } from './slow/slow-looprpt-types.js';
import type { Place } from './slow/slow-readout.js';

export class FixedRandomness implements Randomness {
  /** π^(g) [k][g][m] that the step asked exits for; null while it has not. */
  pdfKGM: number[][][] | null = null;
  readonly #setup: Pick<SlowLoopRptSetup, 'noise' | 'exits'>;
  readonly #hard: readonly Place[];

  /** @param hard the hard places in the order of the slow step: exits are given by place, the product asks by number */
  constructor(setup: Pick<SlowLoopRptSetup, 'noise' | 'exits'>, hard: readonly Place[]) {
    this.#setup = setup;
    this.#hard = hard;
  }

  perturb(hiddenBTE: Tensor, loop: number, rollout: number): Tensor {
    return this.#added(hiddenBTE, this.#setup.noise[rollout]![loop]!);
  }

  perturbQueries(hidden: Tensor, loop: number, G: number, { placesBQ }: HardTokens): Tensor {
    const rows = placesBQ.toArray<number[][]>();
    const noise = rows.map((places, b) =>
      Array.from({ length: G }, (_, g) => places.map((s) => this.#setup.noise[g]![loop]![b]![s]!)).flat(),
    );
    return this.#added(hidden, noise);
  }

  sampleExits(pdfKGM: Tensor): Tensor {
    this.pdfKGM = pdfKGM.toArray<number[][][]>();
    const [, G, M] = pdfKGM.shape as [number, number, number];
    assert.equal(M, this.#hard.length, 'the product chose another number of hard tokens');
    const exits = this.#setup.exits.slice(0, G);
    return tensor(
      exits.map((ofRollout) => this.#hard.map(({ row, position }) => ofRollout[row]![position]!)),
      { dtype: 'int64' },
    );
  }

  #added(hidden: Tensor, noise: number[][][]): Tensor {
    const added = tensor(noise, { dtype: hidden.dtype });
    assert.deepEqual(added.shape, hidden.shape);
    return hidden.add(added);
  }
}
