/**
 * The EMA teacher: θ̄ ← φ θ̄ + (1 − φ) θ after every update, from the same start as the student.
 *
 * With φ = 0 the teacher is the student, and no average is kept.
 *
 * The average of a half-precision model is kept in float32 (steps of 1 − φ would be lost to rounding) and rounded into the model
 * that is run.
 */
import { noGrad, op, scope, type Tensor } from '@looprpt/engine';
import type { LoopLM } from '../model/loop-lm.js';
import { objectiveOf } from '../objectives/objective.js';
import type { RunConfig } from './run-config.js';

/** Whether a run keeps a teacher beside its student. */
export function keepsTeacher({ objective, teacherDecay }: Pick<RunConfig, 'objective' | 'teacherDecay'>): boolean {
  return objectiveOf(objective).readsTeacher && teacherDecay > 0;
}

/** What a trainer needs of a teacher, however it is kept. */
export interface Teacher extends Disposable {
  /** Runs a pass of the averaged model, which may be there only so long. */
  during<T>(pass: (model: LoopLM) => T): T;
  /** After an update of the student. */
  update(): void;
  /** The averages by name, for a checkpoint. */
  state(): Map<string, Tensor>;
  /** After the averages were filled. */
  afterRestore(): void;
}

export class EmaTeacher implements Teacher {
  /** The averaged model; it needs no gradients. */
  readonly model: LoopLM;
  readonly #averages: readonly { name: string; average: Tensor; used: Tensor; source: Tensor }[];

  /** @param decay φ */
  constructor(
    student: LoopLM,
    readonly decay: number,
  ) {
    this.model = student.clone();
    const sources = student.parameters();
    this.#averages = this.model.parameters().map(({ name, tensor }, i) => {
      const half = tensor.dtype === 'bfloat16' || tensor.dtype === 'float16';
      const average = half ? tensor.to({ dtype: 'float32' }).persist() : tensor;
      return { name, average, used: tensor, source: sources[i]!.tensor };
    });
  }

  during<T>(pass: (model: LoopLM) => T): T {
    return pass(this.model);
  }

  update(): void {
    noGrad(() =>
      scope(() => {
        for (const { average, used, source } of this.#averages) {
          op('aten::lerp_.Scalar')(average, source.to({ dtype: average.dtype }), 1 - this.decay);
          if (average !== used) used.copy_(average);
        }
      }),
    );
  }

  /** The averages by name, for a checkpoint. */
  state(): Map<string, Tensor> {
    return new Map(this.#averages.map(({ name, average }) => [`teacher.${name}`, average]));
  }

  /** Rounds restored averages into the model that is run. */
  afterRestore(): void {
    for (const { average, used } of this.#averages) if (average !== used) used.copy_(average);
  }

  [Symbol.dispose](): void {
    for (const { average, used } of this.#averages) if (average !== used) average.dispose();
    this.model.dispose();
  }
}
