/**
 * One optimizer step of any objective: loss and gradient of each micro-batch, clip, update, move the teacher.
 *
 * The trainer owns everything that changes from step to step except the data position; `TrainerState` is all of it. It knows
 * nothing of files, schedules or logs. A step whose loss or gradient is not finite changes nothing and says so.
 *
 * On several ranks each trainer has the rows of its own, and all together do what one would with the rows of all: the loss is the
 * mean over the places of all, chance belongs to rows (objectives/row-key.ts), and every decision is taken from
 * numbers that are equal on all ranks. All call `step`, `tensors` and `restore` together.
 */
import { backward, type ProcessGroup, scope, type Tensor } from '@looprpt/engine';
import { z } from 'zod';
import type { PackedBatch } from '../data/loader/batch.js';
import type { LoopLM } from '../model/loop-lm.js';
import { trainingBatch } from '../objectives/batch.js';
import type { Objective } from '../objectives/contract.js';
import { ALONE, type Peers } from '../objectives/peers.js';
import type { RowKey } from '../objectives/row-key.js';
import { AdamW, type AdamWConfig } from './adamw.js';
import type { DistributedConfig } from './distributed/config.js';
import { DataParallel } from './distributed/data-parallel.js';
import { ShardedTeacher } from './distributed/sharded-teacher.js';
import { combine, type Measurement, measure } from './measure.js';
import { EmaTeacher, type Teacher } from './teacher.js';
import {
  type StatePart,
  type StoredTensor,
  storedTensors,
  type WholeTensors,
  wholeTensors,
} from './trainer-tensors.js';
import { WideGradients } from './wide-gradients.js';

export interface StepResult extends Measurement {
  /** Input tokens of all micro-batches of all ranks, without padding. */
  tokens: number;
  /** Those whose target counts. */
  lossTokens: number;
  /** Before clipping. */
  gradientNorm: number;
  /** The step was not finite and the weights are as they were. */
  skipped: boolean;
}

export interface TrainerOptions {
  student: LoopLM;
  objective: Objective;
  optimizer: AdamWConfig;
  /** φ of the EMA teacher; 0: the student is its own. */
  teacherDecay: number;
  seed: number;
  /** The other ranks; none unless told. */
  ranks?: { group: ProcessGroup; config: DistributedConfig } | undefined;
}

/** The small part of the trainer's state; tensors are apart, in `tensors()`. */
export const trainerStateSchema = z.strictObject({
  /** Steps that changed the weights. */
  updates: z.number().int().nonnegative(),
  /** Calls of `step`: what chance depends on, with the seed and the row. */
  steps: z.number().int().nonnegative(),
});
export type TrainerState = z.infer<typeof trainerStateSchema>;

/** A micro-batch on this rank. */
interface Share {
  batch: PackedBatch;
  /** Among the step's. */
  index: number;
  /** Of its loss in that of the step over all ranks; 0 where it has nothing to learn from. */
  weight: number;
}

export class Trainer implements Disposable {
  readonly student: LoopLM;
  /** Null where none is needed, or the student is its own. */
  readonly teacher: Teacher | null;
  readonly optimizer: AdamW;
  readonly #objective: Objective;
  readonly #seed: number;
  readonly #ranks: DataParallel | null;
  /** Null where the ranks have the gradients. */
  readonly #gradients: WideGradients | null;
  readonly #peers: Peers;
  /** The group over which the teacher is divided; null where every rank has all of it. */
  readonly #teacherShards: ProcessGroup | null;
  #steps = 0;

  constructor({ student, objective, optimizer, teacherDecay, seed, ranks }: TrainerOptions) {
    this.student = student.setRequiresGrad((parameter) => objective.trains(parameter));
    this.#objective = objective;
    this.#seed = seed;
    const trained = student.parameters().filter((parameter) => objective.trains(parameter));
    this.#ranks = ranks ? new DataParallel(ranks.group, student, trained, ranks.config) : null;
    this.#gradients = this.#ranks ? null : new WideGradients(trained);
    this.#peers = ranks?.group ?? ALONE;
    this.optimizer = new AdamW(trained, optimizer, (this.#ranks ?? this.#gradients)!.parts());
    const divided = ranks?.config.zero && !ranks.config.replicateTeacher ? ranks.group : null;
    this.teacher = !(objective.readsTeacher && teacherDecay > 0)
      ? null
      : divided
        ? new ShardedTeacher(student, teacherDecay, divided)
        : new EmaTeacher(student, teacherDecay);
    this.#teacherShards = this.teacher ? divided : null;
  }

  /**
   * One update from the mean loss over all micro-batches of all ranks, each weighted by the places that its loss reads.
   * @param microBatches as many on every rank
   * @param learningRate η of this step
   */
  step(microBatches: readonly PackedBatch[], learningRate: number): StepResult {
    this.#steps++;
    const places = microBatches.map((batch) => this.#objective.lossPlaces(batch));
    const sum = (numbers: number[]): number => numbers.reduce((all, n) => all + n, 0);
    const [total, tokens, lossTokens] = this.#peers.sums([
      sum(places),
      sum(microBatches.map((batch) => batch.tokens)),
      sum(microBatches.map((batch) => batch.lossTokens)),
    ]) as [number, number, number];
    const seen = { tokens, lossTokens };
    if (total === 0) return { ...nothingMeasured(this.student.config.loops), ...seen, gradientNorm: 0, skipped: true };
    const shares = microBatches.map((batch, index) => ({ batch, index, weight: places[index]! / total }));
    const own = shares.flatMap((share) => {
      const last = share === shares.at(-1);
      const measured = this.#accumulate(share, last);
      if (shares.length > 1) this.#gradients?.collect();
      if (!last) this.#ranks?.collect();
      return measured;
    });
    const present = this.#ranks?.beginSums() ?? [];
    const all = this.#peers.exchange({ own, present });
    this.#ranks?.endSums(present.map((_, i) => all.some((rank) => rank.present[i])));
    const measured = all.flatMap((rank) => rank.own);
    const measurement = combine(
      measured.map(([m]) => m),
      measured.map(([, weight]) => weight),
    );
    return { ...measurement, ...seen, ...this.#update(measurement.loss, learningRate) };
  }

  #update(loss: number, learningRate: number): Pick<StepResult, 'gradientNorm' | 'skipped'> {
    const own = this.optimizer.gradientNorm();
    const gradientNorm = this.#ranks?.wholeNorm(own) ?? own;
    const skipped = !Number.isFinite(gradientNorm) || !Number.isFinite(loss);
    if (skipped) {
      this.optimizer.dropGradients();
    } else {
      this.optimizer.step(learningRate, gradientNorm);
      this.#ranks?.gatherWeights();
      this.teacher?.update();
    }
    this.#gradients?.drop();
    return { gradientNorm, skipped };
  }

  /** @returns the measurement with its weight; nothing for a micro-batch with nothing to learn from */
  #accumulate({ batch: packed, index, weight }: Share, last: boolean): [Measurement, number][] {
    if (weight === 0) {
      // The others may want to read the teacher, which takes all to gather, or to add up what they have.
      if (this.#teacherShards) this.teacher!.during(() => {});
      this.#objective.idle(this.#peers);
      return [];
    }
    return scope(() => {
      const batch = trainingBatch(packed, this.student.device);
      const inputs = { student: this.student, batch, rowKeys: this.#rowKeys(index, packed.B), peers: this.#peers };
      const report = this.teacher
        ? this.teacher.during((teacher) => this.#objective.loss({ ...inputs, teacher }))
        : this.#objective.loss({ ...inputs, teacher: this.student });
      if (last) this.#ranks?.lastBackward();
      backward(weight === 1 ? report.loss : report.loss.mul(weight));
      return [[measure(report), weight]];
    });
  }

  /** Of the rows of this rank's micro-batch: with w ranks every w-th row of the step's, as the loader deals them. */
  #rowKeys(index: number, B: number): RowKey[] {
    const { rank, size } = this.#peers;
    return Array.from({ length: B }, (_, b) => ({
      seed: this.#seed,
      step: this.#steps,
      row: (index * B + b) * size + rank,
    }));
  }

  /**
   * Every tensor of the state besides the student's weights, whole, by name, to be read. With ZeRO-1 they are gathered to rank 0,
   * where they are copies on the CPU, and the other ranks get none.
   */
  tensors(): WholeTensors {
    return wholeTensors(this.#parts());
  }

  /** The same tensors, to be filled from a checkpoint; every rank takes its part. */
  storedTensors(): StoredTensor[] {
    return storedTensors(this.#parts());
  }

  #parts(): StatePart[] {
    const shapes = new Map(this.student.parameters().map(({ name, tensor }) => [name, tensor.shape]));
    const partsOf = (tensors: ReadonlyMap<string, Tensor>, shards: ProcessGroup | null): StatePart[] =>
      [...tensors].map(([name, part]) => ({
        name,
        part,
        shape: shapes.get(name.slice(name.indexOf('.') + 1))!,
        shards,
      }));
    const divided = this.#ranks?.sharded ? this.#ranks.group : null;
    return [
      ...partsOf(this.optimizer.state(), divided),
      ...(this.teacher ? partsOf(this.teacher.state(), this.#teacherShards) : []),
    ];
  }

  state(): TrainerState {
    return { updates: this.optimizer.updates, steps: this.#steps };
  }

  /** Goes on from a saved state; the student's weights and `storedTensors()` have been filled already. */
  restore({ updates, steps }: TrainerState): void {
    this.optimizer.updates = updates;
    this.#steps = steps;
    this.teacher?.afterRestore();
    this.#ranks?.assertTogether();
  }

  [Symbol.dispose](): void {
    this.optimizer[Symbol.dispose]();
    this.#gradients?.[Symbol.dispose]();
    this.teacher?.[Symbol.dispose]();
    this.#ranks?.[Symbol.dispose]();
  }
}

function nothingMeasured(loops: number): Measurement {
  const nan = Number.NaN;
  return { loss: nan, parts: {}, exitHistogram: new Array(loops).fill(nan), exitEntropy: nan, meanLoops: nan };
}
