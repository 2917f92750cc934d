/**
 * How the matrices of a model folder become whole numbers: each weight for itself, or by text. With text the model in floating point
 * is open beside it, where it lies in the file if activations can be float32 then, else in float32. Owns everything that it makes.
 */
import { noGrad, type Quantisation, type QuantisedWeight, quantise, scope, type Tensor } from '@looprpt/engine';
import type { LoopLM } from '../../model/loop-lm.js';
import type { UpstreamTensor } from '../../model/weights.js';
import { loadMapped } from '../load-mapped.js';
import { isReadableInPlace, loadReadOnly } from '../load-read-only.js';
import { quantiseWithFeedback } from './error-feedback.js';
import type { Fit } from './fitting.js';
import { type Calibration, InputFactors } from './input-moments.js';

export interface RoundingOptions {
  /** Text by which errors are made up for; default: each weight is rounded for itself. */
  calibration?: Calibration | undefined;
  /** With text: what fits scales, norms and gate to the whole numbers, and in how many passes; default: they stay as they are. */
  fit?: { run: Fit; passes: number } | undefined;
}

export class Rounding implements Disposable {
  readonly #text: { calibration: Calibration; model: LoopLM; factors: InputFactors } | null;
  readonly #fit: RoundingOptions['fit'];
  readonly #made: QuantisedWeight[] = [];
  /** By the model's own tensor, its pieces. */
  readonly #matrices = new Map<Tensor, QuantisedWeight[]>();
  #vectors: ReadonlyMap<Tensor, Tensor> = new Map();

  /** @throws UserError where there is text and the folder is no model in floating point */
  constructor(folder: string, { calibration, fit }: RoundingOptions) {
    this.#fit = fit;
    this.#text = null;
    if (!calibration) return;
    const model = isReadableInPlace(folder) ? loadReadOnly(folder) : loadMapped(folder, { dtype: 'float32' });
    this.#text = { calibration, model, factors: new InputFactors(model, calibration) };
  }

  /** Matrices are rounded in the model's order. @param load its values, [O, I] */
  async round({ stored }: UpstreamTensor, load: () => Tensor, settings: Quantisation): Promise<QuantisedWeight> {
    const name = this.#text && stored(this.#text.model.weights);
    const factorII = name && (await this.#text!.factors.of(name));
    const weight = scope(() =>
      noGrad(() => (factorII ? quantiseWithFeedback(load(), factorII, settings) : quantise(load(), settings))),
    );
    this.#made.push(weight);
    if (name) this.#matrices.set(name, [...(this.#matrices.get(name) ?? []), weight]);
    return weight;
  }

  /** After all matrices, whose scales it may replace. */
  async fit(): Promise<void> {
    if (!this.#text || !this.#fit || this.#fit.passes === 0) return;
    const { model, calibration, factors } = this.#text;
    factors[Symbol.dispose]();
    const { vectors, scales } = await this.#fit.run(model, this.#matrices, { calibration, passes: this.#fit.passes });
    this.#vectors = vectors;
    for (const [weight, fitted] of scales) {
      weight.scales.dispose();
      weight.scales = fitted;
    }
  }

  /** What stands in the place of a tensor that is no matrix; null: what stood there. */
  fitted({ stored }: UpstreamTensor): Tensor | null {
    return (this.#text && this.#vectors.get(stored(this.#text.model.weights))) ?? null;
  }

  [Symbol.dispose](): void {
    this.#text?.factors[Symbol.dispose]();
    this.#text?.model.dispose();
    for (const tensor of this.#vectors.values()) tensor.dispose();
    for (const { codes, scales, zeros } of this.#made) for (const tensor of [codes, scales, zeros]) tensor?.dispose();
  }
}
