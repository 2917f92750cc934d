/**
 * What the inputs of a model's matrices are like on text: sums of x·xᵀ over tokens and over all loops, for as many matrices at a time
 * as fit in a number of bytes; the text is passed through the model once for each such part. The model is the one in floating point,
 * so that the parts make no difference.
 *
 * Shapes: B rows, T places, N chosen places, I inputs of a matrix.
 */
import { linear, noGrad, scope, type Tensor, zeros } from '@looprpt/engine';
import { LoopLM, type TokenBatch } from '../../model/loop-lm.js';
import { atPlaces } from '../../model/read-out.js';
import type { MatrixProducts } from '../../model/stored-matrices.js';
import { feedbackFactor } from './error-feedback.js';

/** Text, and which of its places are looked at. */
export interface CalibrationBatch extends TokenBatch {
  /** int64 [N]: row·T + place of the tokens. */
  tokensN: Tensor;
  /** The same of the places whose next token is to be foretold: inputs of the head. May be none. */
  countedN: Tensor;
}

/** Gives all text, batch by batch, the same at every call. */
export type Calibration = (use: (batch: CalibrationBatch) => void) => Promise<void>;

/** Of sums in memory at once, unless one matrix has more. Of Ouro-1.4B's 24 layers six are summed at a time. */
export const MOMENT_BYTES = 2 ** 31;

/** Factors of error-feedback.ts by matrix, asked for in the model's order. */
export class InputFactors implements Disposable {
  readonly #model: LoopLM;
  readonly #calibration: Calibration;
  /** By matrix, in parts that are summed in one pass. */
  readonly #parts: readonly (readonly Tensor[])[];
  /** Sums of the part that is being asked for. */
  readonly #moments = new Map<Tensor, Tensor>();
  #last: { matrix: Tensor; factorII: Tensor } | null = null;

  /** @param model in floating point, which is not freed here */
  constructor(model: LoopLM, calibration: Calibration, bytes = MOMENT_BYTES) {
    this.#model = model;
    this.#calibration = calibration;
    this.#parts = partsOf(model, bytes);
  }

  /** Passes of the text through the model. */
  get passes(): number {
    return this.#parts.length;
  }

  /** Of the matrix's inputs, float64 [I, I]; lives until the next is asked for. */
  async of(matrix: Tensor): Promise<Tensor> {
    if (this.#last?.matrix === matrix) return this.#last.factorII;
    if (!this.#moments.has(matrix)) await this.#sum(this.#parts.find((part) => part.includes(matrix))!);
    const momentsII = this.#moments.get(matrix)!;
    const factorII = scope(() => feedbackFactor(momentsII).persist());
    momentsII.dispose();
    this.#moments.delete(matrix);
    this.#last?.factorII.dispose();
    this.#last = { matrix, factorII };
    return factorII;
  }

  async #sum(matrices: readonly Tensor[]): Promise<void> {
    this.#dropMoments();
    for (const matrix of matrices) {
      const I = matrix.size(1);
      this.#moments.set(
        matrix,
        scope(() => zeros([I, I], { dtype: 'float64' }).persist()),
      );
    }
    const { config, weights, stored } = this.#model;
    let places: Tensor | null = null;
    const add = (matrix: Tensor, xNI: Tensor): void => {
      const wide = xNI.to({ dtype: 'float32' });
      this.#moments.get(matrix)?.add_(wide.transpose(0, 1).matmul(wide));
    };
    const noting: MatrixProducts = {
      format: this.#model.weightFormat,
      product(x, matrix) {
        scope(() => add(matrix, atPlaces(x, places!)));
        return stored ? stored.product(x, matrix) : linear(x, matrix);
      },
      [Symbol.dispose]() {},
    };
    const view = new LoopLM(config, weights, noting);
    await this.#calibration((batch) =>
      noGrad(() =>
        scope(() => {
          places = batch.tokensN;
          for (const hiddenBTE of view.states(batch)) add(weights.head, atPlaces(hiddenBTE, batch.countedN));
        }),
      ),
    );
  }

  #dropMoments(): void {
    for (const moments of this.#moments.values()) moments.dispose();
    this.#moments.clear();
  }

  [Symbol.dispose](): void {
    this.#dropMoments();
    this.#last?.factorII.dispose();
    this.#last = null;
  }
}

/** In the model's order; each part's sums take no more than so many bytes, unless it is one matrix. */
function partsOf({ weights }: LoopLM, bytes: number): Tensor[][] {
  const { layers, head } = weights;
  const parts: Tensor[][] = [];
  let room = 0;
  for (const matrix of [...layers.flatMap(({ qkv, out, gateUp, down }) => [qkv, out, gateUp, down]), head]) {
    const needed = 8 * matrix.size(1) ** 2;
    if (parts.length === 0 || needed > room) {
      parts.push([]);
      room = bytes;
    }
    parts.at(-1)!.push(matrix);
    room -= needed;
  }
  return parts;
}
