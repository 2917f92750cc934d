/**
 * Gradients of several micro-batches, added up in float32 where the parameters are in half precision: a sum in bfloat16 stands still once
 * it is 256 times what is added. Of one process; several have float32 sums in their buckets (distributed/gradient-sum.ts).
 *
 * A step of one micro-batch needs no sum, and its gradients stay the parameters' own.
 */
import { noGrad, scope, type Tensor } from '@looprpt/engine';
import type { NamedParameter } from '../model/weights.js';
import type { SteppedPart } from './adamw.js';

export function isHalf({ dtype }: Tensor): boolean {
  return dtype === 'bfloat16' || dtype === 'float16';
}

export class WideGradients implements Disposable {
  readonly #parameters: readonly NamedParameter[];
  readonly #sums = new Map<NamedParameter, Tensor>();

  constructor(parameters: readonly NamedParameter[]) {
    this.#parameters = parameters;
  }

  /** What the optimizer steps: every parameter, with its sum where there is one, else its own gradient. */
  parts(): SteppedPart[] {
    return this.#parameters.map((parameter) => ({
      parameter,
      value: parameter.tensor,
      gradient: () => this.#sums.get(parameter) ?? parameter.tensor.grad,
    }));
  }

  /** After each of several micro-batches: moves what backward has left on half-precision parameters into the sums. */
  collect(): void {
    scope(() =>
      noGrad(() => {
        for (const parameter of this.#parameters) {
          const gradient = isHalf(parameter.tensor) ? parameter.tensor.grad : null;
          if (gradient === null) continue;
          const sum = this.#sums.get(parameter);
          if (sum) sum.add_(gradient);
          else this.#sums.set(parameter, gradient.to({ dtype: 'float32' }).persist());
          parameter.tensor.grad = null;
        }
      }),
    );
  }

  /** After the step. */
  drop(): void {
    for (const sum of this.#sums.values()) sum.dispose();
    this.#sums.clear();
  }

  [Symbol.dispose](): void {
    this.drop();
  }
}
