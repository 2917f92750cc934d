/**
 * Gradients of parameters, summed over a group bucket by bucket while backward still runs.
 *
 * `arm()` before the backward pass whose gradients are final, `finish()` after it. A gradient moves into its bucket as soon as it is
 * final (and is then no longer the parameter's `grad`); a parameter without one counts as zeros. Buckets begin in the order given, so
 * they should be in the order in which backward ends with their parameters. Weights that a looped model shares between loops
 * are only final when backward has passed the first loop: what can overlap is the rest of that loop's backward.
 */
import { native } from '../native.js';
import type { Tensor } from '../tensor.js';
import { Collective } from './collective.js';
import type { ProcessGroup } from './group.js';

/** Where a part of a parameter's flattened gradient lies in its bucket. */
export interface Piece {
  /** First element of the flattened gradient. */
  from: number;
  /** A view into the bucket with as many elements as the part. */
  place: Tensor;
}

export interface ReducedParameter {
  tensor: Tensor;
  pieces: readonly Piece[];
}

export interface Bucket {
  /** Flat, contiguous. */
  flat: Tensor;
  /** Only this rank's part of the sum, [flat / size]; without it all of the sum is formed, in `flat`. */
  shard?: Tensor;
  parameters: readonly ReducedParameter[];
}

export class GradientReducer implements Disposable {
  #handle: number;

  constructor(group: ProcessGroup, buckets: readonly Bucket[]) {
    const parameters = buckets.flatMap(({ parameters }, bucket) => parameters.map((p) => ({ ...p, bucket })));
    const pieces = parameters.flatMap((p, parameter) => p.pieces.map((piece) => ({ ...piece, parameter })));
    this.#handle = native.newReducer(
      group.handle,
      buckets.map(({ flat }) => flat.handle),
      buckets.map(({ shard }) => shard?.handle ?? 0),
      parameters.map(({ tensor }) => tensor.handle),
      parameters.map(({ bucket }) => bucket),
      pieces.map(({ parameter }) => parameter),
      pieces.map(({ from }) => from),
      pieces.map(({ place }) => place.handle),
    );
  }

  /**
   * Moves the gradients that there are into the buckets, where those that follow in this step are added to them in the bucket's dtype:
   * between the micro-batches of a step, so that half-precision gradients have float32 sums.
   */
  collect(): void {
    native.collectInReducer(this.#handle);
  }

  arm(): void {
    native.armReducer(this.#handle);
  }

  /**
   * Begins what backward did not.
   * @returns one collective a bucket, to be waited for; and by parameter, whether it had a gradient on this rank
   */
  finish(): { collectives: Collective[]; present: boolean[] } {
    const collectives = native.finishReducer(this.#handle).map((handle) => new Collective(handle));
    return { collectives, present: native.presentInReducer(this.#handle) };
  }

  [Symbol.dispose](): void {
    if (this.#handle === 0) return;
    native.releaseReducer(this.#handle);
    this.#handle = 0;
  }
}
