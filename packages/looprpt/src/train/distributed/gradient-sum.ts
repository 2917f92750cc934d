/**
 * The gradients of a data-parallel step: each rank's own go in, the sum over all ranks comes out, whole or this rank's shard of it.
 *
 * Sums are formed in float32 (float64 for float64 parameters), whatever the parameters' dtype, and begin while backward still
 * runs. Owns the buckets; parameters' own `grad` is gone after a step.
 */
import assert from 'node:assert/strict';
import {
  type Bucket,
  type Collective,
  type DType,
  GradientReducer,
  op,
  type ProcessGroup,
  scope,
  type Tensor,
  zeros,
} from '@looprpt/engine';
import type { NamedParameter } from '../../model/weights.js';
import { isHalf } from '../wide-gradients.js';
import { type BucketPlan, planBuckets, shardOf } from './layout.js';

export interface GradientSumOptions {
  group: ProcessGroup;
  parameters: readonly NamedParameter[];
  /** Only this rank's shard of every sum is wanted. */
  sharded: boolean;
  /** Largest bucket. */
  bucketBytes: number;
}

export class GradientSum implements Disposable {
  readonly #reducer: GradientReducer;
  readonly #half: boolean;
  /** Everything allocated here. */
  readonly #owned: Tensor[] = [];
  /** By parameter, the view of its sum, or of this rank's part of it. */
  readonly #views: Tensor[];
  /** The parameters' indices in the order of the buckets. */
  readonly #order: readonly number[];
  #under: Collective[] = [];
  #present: readonly boolean[];

  constructor({ group, parameters, sharded, bucketBytes }: GradientSumOptions) {
    this.#half = parameters.some(({ tensor }) => isHalf(tensor));
    const dtype = parameters.some(({ tensor }) => tensor.dtype === 'float64') ? 'float64' : 'float32';
    const sizes = parameters.map(({ tensor }) => tensor.numel);
    const plans = planBuckets(sizes, sharded ? group.size : 1, bucketBytes / (dtype === 'float64' ? 8 : 4));
    this.#views = new Array<Tensor>(parameters.length);
    this.#present = parameters.map(() => false);
    this.#order = plans.flatMap((plan) => plan.parameters.map(({ index }) => index));
    const buckets = plans.map((plan) => this.#bucket(plan, group, parameters, dtype));
    this.#reducer = new GradientReducer(group, buckets);
  }

  #own(make: () => Tensor): Tensor {
    const tensor = scope(() => make().persist());
    this.#owned.push(tensor);
    return tensor;
  }

  #bucket(
    { parameters: places, chunk, rows }: BucketPlan,
    group: ProcessGroup,
    parameters: readonly NamedParameter[],
    dtype: DType,
  ): Bucket {
    const { device } = group;
    const flat = this.#own(() => zeros([rows * chunk], { dtype, device }));
    const scatters = rows > 1 && group.scattersSums;
    const shard =
      rows === 1
        ? flat
        : this.#own(() =>
            scatters ? zeros([chunk], { dtype, device }) : flat.slice(0, group.rank * chunk, (group.rank + 1) * chunk),
          );
    for (const { index, column } of places) {
      const { shape } = parameters[index]!.tensor;
      const n = shape.reduce((product, size) => product * size, 1);
      const [from, to] = shardOf(n, group.rank, rows);
      this.#views[index] = this.#own(() =>
        rows === 1 ? flat.slice(0, column, column + n).view(...shape) : shard.slice(0, column, column + to - from),
      );
    }
    return {
      flat,
      ...(scatters ? { shard } : {}),
      parameters: places.map(({ index, pieces }) => ({
        tensor: parameters[index]!.tensor,
        pieces: pieces.map(({ from, offset, shape, strides }) => ({
          from,
          place: this.#own(() => op('aten::as_strided')(flat, shape, strides, offset)),
        })),
      })),
    };
  }

  /**
   * Between the micro-batches of a step: half-precision gradients go to the buckets, to be added up in float32. Others stay the
   * parameters' own until the last backward.
   */
  collect(): void {
    if (this.#half) this.#reducer.collect();
  }

  /** The next backward is the step's last: from here on sums may begin. */
  arm(): void {
    this.#reducer.arm();
  }

  /** After the last backward: begins what has not begun. @returns by parameter, whether this rank had a gradient */
  begin(): boolean[] {
    assert(this.#under.length === 0, 'the sums before are still under way');
    const { collectives, present } = this.#reducer.finish();
    this.#under = collectives;
    const byParameter = new Array<boolean>(present.length);
    for (const [i, index] of this.#order.entries()) byParameter[index] = present[i]!;
    return byParameter;
  }

  /** Waits for the sums. @param present by parameter, whether any rank had a gradient */
  end(present: readonly boolean[]): void {
    for (const collective of this.#under.splice(0)) collective.wait();
    this.#present = present;
  }

  /** The sum of the last step, float32: of the parameter's shape, or this rank's elements [n]. Null where no rank had any. */
  of(index: number): Tensor | null {
    return this.#present[index] ? this.#views[index]! : null;
  }

  [Symbol.dispose](): void {
    this.#reducer[Symbol.dispose]();
    for (const tensor of this.#owned) tensor.dispose();
  }
}
