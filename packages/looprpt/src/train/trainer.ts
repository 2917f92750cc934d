/**
 * One optimizer step of any objective: loss and gradient of each micro-batch, clip, update, move the teacher.
 *
 * The trainer owns everything that changes from step to step except the data position; `TrainerState` is all of it. It knows
 * nothing of files, schedules or logs. A step whose loss or gradient is not finite changes nothing and says so.
 */
import { backward, Generator, scope, type Tensor } from '@looprpt/engine';
import { z } from 'zod';
import type { PackedBatch } from '../data/loader/batch.js';
import type { LoopLM } from '../model/loop-lm.js';
import { trainingBatch } from '../objectives/batch.js';
import { LatentRandomness } from '../objectives/looprpt/randomness.js';
import { needsTeacher, type ObjectiveConfig, objectiveLoss, trains } from '../objectives/objective.js';
import { AdamW, type AdamWConfig } from './adamw.js';
import { combine, type Measurement, measure } from './measure.js';
import { EmaTeacher } from './teacher.js';

export interface StepResult extends Measurement {
  /** Before clipping. */
  gradientNorm: number;
  /** The step was not finite and the weights are as they were. */
  skipped: boolean;
}

export interface TrainerOptions {
  student: LoopLM;
  objective: ObjectiveConfig;
  optimizer: AdamWConfig;
  /** φ of the EMA teacher. */
  teacherDecay: number;
  seed: number;
}

/** The small part of the trainer's state; tensors are apart, in `tensors()`. */
export const trainerStateSchema = z.strictObject({
  updates: z.number().int().nonnegative(),
  /** Base64 of the generators' states. */
  generators: z.strictObject({ noise: z.string(), exits: z.string() }),
});
export type TrainerState = z.infer<typeof trainerStateSchema>;

export class Trainer implements Disposable {
  readonly student: LoopLM;
  readonly teacher: EmaTeacher | null;
  readonly optimizer: AdamW;
  readonly #objective: ObjectiveConfig;
  readonly #generators: { noise: Generator; exits: Generator };
  readonly #random: LatentRandomness;

  constructor({ student, objective, optimizer, teacherDecay, seed }: TrainerOptions) {
    this.student = student.setRequiresGrad((parameter) => trains(objective, parameter));
    this.#objective = objective;
    this.optimizer = new AdamW(
      student.parameters().filter((parameter) => trains(objective, parameter)),
      optimizer,
    );
    this.teacher = needsTeacher(objective) ? new EmaTeacher(student, teacherDecay) : null;
    const device = student.device;
    this.#generators = { noise: new Generator(2 * seed + 1, device), exits: new Generator(2 * seed + 2, device) };
    this.#random = new LatentRandomness(objective.kind === 'looprpt' ? objective.sigma : 0, this.#generators);
  }

  /**
   * One update from the mean loss over all micro-batches, each weighted by its counted places.
   * @param learningRate η of this step
   */
  step(microBatches: readonly PackedBatch[], learningRate: number): StepResult {
    const counting = microBatches.filter((batch) => batch.lossTokens > 0);
    const total = counting.reduce((sum, batch) => sum + batch.lossTokens, 0);
    const weights = counting.map((batch) => batch.lossTokens / total);
    const measured = counting.map((batch, i) => this.#accumulate(batch, weights[i]!));
    if (measured.length === 0) return { ...nothingMeasured(this.student.config.loops), gradientNorm: 0, skipped: true };
    const measurement = combine(measured, weights);
    const gradientNorm = this.optimizer.gradientNorm();
    const skipped = !Number.isFinite(gradientNorm) || !Number.isFinite(measurement.loss);
    if (skipped) {
      this.optimizer.dropGradients();
    } else {
      this.optimizer.step(learningRate, gradientNorm);
      this.teacher?.update();
    }
    return { ...measurement, gradientNorm, skipped };
  }

  #accumulate(packed: PackedBatch, weight: number): Measurement {
    return scope(() => {
      const batch = trainingBatch(packed, this.student.device);
      const inputs = { student: this.student, teacher: this.teacher?.model ?? null, batch, random: this.#random };
      const report = objectiveLoss(this.#objective, inputs);
      backward(weight === 1 ? report.loss : report.loss.mul(weight));
      return measure(report);
    });
  }

  /** Every tensor of the state besides the student's weights, by name; the same tensors each time, to be written or filled. */
  tensors(): Map<string, Tensor> {
    return new Map([...this.optimizer.state(), ...(this.teacher?.state() ?? [])]);
  }

  state(): TrainerState {
    const text = (generator: Generator): string => Buffer.from(generator.getState()).toString('base64');
    const { noise, exits } = this.#generators;
    return { updates: this.optimizer.updates, generators: { noise: text(noise), exits: text(exits) } };
  }

  /** Goes on from a saved state; the student's weights and `tensors()` have been filled already. */
  restore({ updates, generators }: TrainerState): void {
    this.optimizer.updates = updates;
    for (const name of ['noise', 'exits'] as const)
      this.#generators[name].setState(new Uint8Array(Buffer.from(generators[name], 'base64')));
    this.teacher?.afterRestore();
  }

  [Symbol.dispose](): void {
    this.optimizer[Symbol.dispose]();
    this.teacher?.[Symbol.dispose]();
    for (const generator of Object.values(this.#generators)) generator.dispose();
  }
}

function nothingMeasured(loops: number): Measurement {
  const nan = Number.NaN;
  return { loss: nan, parts: {}, exitHistogram: new Array(loops).fill(nan), exitEntropy: nan, meanLoops: nan };
}
