/**
 * The EMA teacher of which every rank keeps only its elements (ZeRO-1), in float32 or wider. For a pass the whole model is gathered and
 * afterwards freed, so that it does not take memory while the student's backward runs.
 */
import { noGrad, op, type ProcessGroup, scope, type Tensor } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import type { Teacher } from '../teacher.js';
import { gatherInTurns, shardView } from './shards.js';

/** Gathered together at most, besides the model itself. */
const TURN_BYTES = 32 * 2 ** 20;

export class ShardedTeacher implements Teacher {
  readonly #student: LoopLM;
  readonly #group: ProcessGroup;
  readonly #averages: readonly { name: string; average: Tensor; source: Tensor }[];

  /** @param decay φ */
  constructor(
    student: LoopLM,
    readonly decay: number,
    group: ProcessGroup,
  ) {
    this.#student = student;
    this.#group = group;
    this.#averages = student.parameters().map(({ name, tensor }) => {
      const source = scope(() => shardView(tensor, group).persist());
      const half = tensor.dtype === 'bfloat16' || tensor.dtype === 'float16';
      return {
        name,
        source,
        average: scope(() =>
          source
            .to(half ? { dtype: 'float32' } : {})
            .clone()
            .persist(),
        ),
      };
    });
  }

  during<T>(pass: (model: LoopLM) => T): T {
    const model = this.#student.clone();
    scope(() =>
      gatherInTurns(
        this.#group,
        model.parameters().map(({ tensor }, i) => ({
          shard: this.#averages[i]!.average.to({ dtype: tensor.dtype }),
          whole: tensor,
        })),
        TURN_BYTES,
      ),
    );
    const result = pass(model);
    model.dispose();
    return result;
  }

  update(): void {
    noGrad(() =>
      scope(() => {
        for (const { average, source } of this.#averages)
          op('aten::lerp_.Scalar')(average, source.to({ dtype: average.dtype }), 1 - this.decay);
      }),
    );
  }

  /** This rank's parts by name. */
  state(): Map<string, Tensor> {
    return new Map(this.#averages.map(({ name, average }) => [`teacher.${name}`, average]));
  }

  afterRestore(): void {}

  [Symbol.dispose](): void {
    for (const { average, source } of this.#averages) {
      average.dispose();
      source.dispose();
    }
  }
}
