/** Chance with the outcome given: the noise and the exits of a slow LoopRPT set-up, handed to the product's step. */
import assert from 'node:assert/strict';
import { type Tensor, tensor } from '@looprpt/engine';
import type { HardTokens } from 'looprpt/internal/objectives/looprpt/hard-tokens.js';
import type { Randomness } from 'looprpt/internal/objectives/looprpt/randomness.js';
import type { SlowLoopRptSetup } from './slow/slow-looprpt-types.js';
import type { Place } from './slow/slow-readout.js';

export class FixedRandomness implements Randomness {
  /** π^(g)(t^(g)) [g][m] by the λ that the step gave; null while it has not asked for exits. */
  exitPdfGM: number[][] | null = null;
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

  leaves(loop: number, leaveGM: Tensor): Tensor {
    const [G, M] = leaveGM.shape as [number, number];
    assert.equal(M, this.#hard.length, 'the product chose another number of hard tokens');
    const exits = this.#setup.exits
      .slice(0, G)
      .map((ofRollout) => this.#hard.map(({ row, position }) => ofRollout[row]![position]!));
    const before = this.exitPdfGM ?? exits.map((ofRollout) => ofRollout.map(() => 1));
    const leave = leaveGM.toArray<number[][]>();
    this.exitPdfGM = before.map((ofRollout, g) =>
      ofRollout.map((p, m) => {
        const exit = exits[g]![m]!;
        return exit < loop ? p : p * (exit === loop ? leave[g]![m]! : 1 - leave[g]![m]!);
      }),
    );
    return tensor(exits, { dtype: 'int64' }).eq(loop);
  }

  #added(hidden: Tensor, noise: number[][][]): Tensor {
    const added = tensor(noise, { dtype: hidden.dtype });
    assert.deepEqual(added.shape, hidden.shape);
    return hidden.add(added);
  }
}
