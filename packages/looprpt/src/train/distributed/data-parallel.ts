/**
 * What the trainer hands over when its step is one of several ranks' together: equal weights at the start, gradients summed, and
 * with ZeRO-1 the optimizer's work divided and its result gathered.
 *
 * The loss of each rank is weighted by its share of the places that count, so the sum of the ranks' gradients is the gradient of the
 * mean over all. Whatever decides on the course of the run (norm, finite or not) is computed from sums that are equal on all
 * ranks.
 */
import type { ProcessGroup } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import type { NamedParameter } from '../../model/weights.js';
import type { SteppedPart } from '../adamw.js';
import { assertSameWeights, shareWeights } from './agreement.js';
import type { DistributedConfig } from './config.js';
import { GradientSum } from './gradient-sum.js';
import { gatherInTurns, shardView } from './shards.js';

const MEGABYTE = 2 ** 20;

export class DataParallel implements Disposable {
  readonly group: ProcessGroup;
  /** Whether optimizer state and teacher are divided. */
  readonly sharded: boolean;
  readonly #student: LoopLM;
  readonly #trained: readonly NamedParameter[];
  readonly #gradients: GradientSum;
  readonly #shards: ReadonlyMap<string, ReturnType<typeof shardView>>;
  readonly #bucketBytes: number;
  #armed = false;

  /** Makes the weights of all ranks rank 0's. @param trained the parameters with gradients */
  constructor(
    group: ProcessGroup,
    student: LoopLM,
    trained: readonly NamedParameter[],
    { zero, bucketMegabytes }: DistributedConfig,
  ) {
    this.group = group;
    this.sharded = zero;
    this.#student = student;
    this.#trained = trained;
    this.#bucketBytes = bucketMegabytes * MEGABYTE;
    shareWeights(group, student.parameters());
    assertSameWeights(group, student.parameters());
    this.#gradients = new GradientSum({ group, parameters: trained, sharded: zero, bucketBytes: this.#bucketBytes });
    this.#shards = new Map(
      zero ? trained.map(({ name, tensor }) => [name, shardView(tensor, group).persist()] as const) : [],
    );
  }

  /** What this rank's optimizer steps: everything, or its own elements. */
  parts(): SteppedPart[] {
    return this.#trained.map((parameter, i) => ({
      parameter,
      value: this.#shards.get(parameter.name) ?? parameter.tensor,
      gradient: () => this.#gradients.of(i),
    }));
  }

  /** After a micro-batch that is not the step's last. */
  collect(): void {
    this.#gradients.collect();
  }

  /**
   * Before the step's last backward. Where that is done in several passes (`recomputeLoops`), gradients are not final in any of
   * them, and the sums begin behind it.
   */
  lastBackward(): void {
    if (this.#student.recomputeLoops) return;
    this.#gradients.arm();
    this.#armed = true;
  }

  /** After this rank's last backward, or where it had none. @returns by parameter, whether there was a gradient here */
  beginSums(): boolean[] {
    if (!this.#armed) this.#gradients.arm();
    this.#armed = false;
    return this.#gradients.begin();
  }

  /** @param present by parameter, whether any rank had a gradient */
  endSums(present: readonly boolean[]): void {
    this.#gradients.end(present);
  }

  /** The norm of the whole gradient from that of this rank's parts. */
  wholeNorm(own: number): number {
    return this.sharded ? Math.sqrt(this.group.sums([own * own])[0]!) : own;
  }

  /** After the optimizer's step: every rank gets the elements that the others stepped. */
  gatherWeights(): void {
    if (!this.sharded) return;
    gatherInTurns(
      this.group,
      this.#trained.map(({ name, tensor }) => ({ shard: this.#shards.get(name)!, whole: tensor })),
      this.#bucketBytes,
    );
  }

  /** @throws if the ranks have drifted apart */
  assertTogether(): void {
    assertSameWeights(this.group, this.#student.parameters());
  }

  [Symbol.dispose](): void {
    this.#gradients[Symbol.dispose]();
    for (const shard of this.#shards.values()) shard.dispose();
  }
}
