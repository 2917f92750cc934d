/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter, 2019) over named parameters.
 *
 *   m ← β1 m + (1 − β1) g;  v ← β2 v + (1 − β2) g²;  θ ← θ (1 − η·decay) − η · (m / (1 − β1ᵗ)) / (√(v / (1 − β2ᵗ)) + ε)
 *
 * Half-precision parameters have a float32 master copy that is stepped in their place and rounded back into them: an update is
 * often smaller than half precision can add. State is float32 (float64 for float64 parameters). The gate has a learning rate of
 * its own, because it moves much faster than the backbone.
 *
 * What is stepped need not be a whole parameter: with ZeRO-1 it is this rank's elements of it, with the sum of all ranks' gradients.
 */
import { fusable, fusedAdamW_, noGrad, op, scope, stack, type Tensor, zeros } from '@looprpt/engine';
import { z } from 'zod';
import type { NamedParameter } from '../model/weights.js';
import { deviceAdamW_, hasDeviceAdamW } from './adamw-device.js';

export const adamWConfigSchema = z.strictObject({
  learningRate: z.number().positive().default(1e-3).describe('η at its peak'),
  gateLearningRateScale: z.number().nonnegative().default(1).describe("the gate's learning rate, as a multiple of η"),
  beta1: z.number().min(0).lt(1).default(0.9).describe('decay of the first moment'),
  beta2: z.number().min(0).lt(1).default(0.95).describe('decay of the second moment'),
  epsilon: z.number().positive().default(1e-8).describe('ε added to the root of the second moment'),
  weightDecay: z.number().nonnegative().default(0).describe('per unit of learning rate; matrices only'),
  clipNorm: z
    .number()
    .positive()
    .nullable()
    .default(1)
    .describe('largest norm of the whole gradient; null: no clipping'),
});
export type AdamWConfig = z.infer<typeof adamWConfigSchema>;

/** What is stepped of a parameter, and by which gradient. */
export interface SteppedPart {
  parameter: NamedParameter;
  /** The parameter's tensor, or a view of some of its elements. */
  value: Tensor;
  /** Of the value's shape; null for no step. */
  gradient: () => Tensor | null;
}

/** What the optimizer keeps for one parameter. */
export interface Slot extends SteppedPart {
  /** float32 copy of a half-precision value; otherwise the value itself. */
  master: Tensor;
  /** m and v, of the master's shape and dtype. */
  mean: Tensor;
  variance: Tensor;
}

export class AdamW implements Disposable {
  readonly slots: readonly Slot[];
  /** Updates made: t of the bias corrections. */
  updates = 0;
  readonly #config: AdamWConfig;

  /** @param parts what is stepped; the whole parameters with their own gradients unless told. Their values stay the caller's */
  constructor(
    parameters: readonly NamedParameter[],
    config: AdamWConfig,
    parts: readonly SteppedPart[] = parameters.map(wholePart),
  ) {
    this.#config = config;
    this.slots = parts.map((part) => {
      const { value } = part;
      const half = value.dtype === 'bfloat16' || value.dtype === 'float16';
      const dtype = half ? 'float32' : value.dtype;
      const state = (): Tensor => zeros(value.shape, { dtype, device: value.device }).persist();
      const master = half ? scope(() => value.detach().to({ dtype }).persist()) : value;
      return { ...part, master, mean: state(), variance: state() };
    });
  }

  /** Norm of the gradients of all slots together. Not finite if any element is not. */
  gradientNorm(): number {
    return scope(() => {
      const norms = this.slots.flatMap((slot) => {
        const gradient = slot.gradient();
        return gradient && gradient.numel > 0 ? [normInFloat32(gradient)] : [];
      });
      return norms.length === 0 ? 0 : stack(norms).norm().item();
    });
  }

  /**
   * One update from the accumulated gradients, which must be finite; then the gradients are dropped.
   * @param learningRate η of this step
   * @param norm what `gradientNorm` returned, for clipping
   */
  step(learningRate: number, norm: number): void {
    const { clipNorm, gateLearningRateScale } = this.#config;
    const scale = clipNorm !== null && norm > clipNorm ? clipNorm / norm : 1;
    this.updates++;
    for (const slot of this.slots) {
      const rate = slot.parameter.isGate ? learningRate * gateLearningRateScale : learningRate;
      scope(() => noGrad(() => this.#update(slot, rate, scale)));
    }
    this.dropGradients();
  }

  dropGradients(): void {
    for (const { parameter } of this.slots) parameter.tensor.grad = null;
  }

  #update({ parameter, value, master, mean, variance, ...slot }: Slot, rate: number, scale: number): void {
    const gradient = slot.gradient();
    if (gradient === null || gradient.numel === 0) return;
    const { beta1, beta2, epsilon, weightDecay } = this.#config;
    const fits = master === value || (value.dtype === 'bfloat16' && value.isContiguous);
    if (fits && gradient.isContiguous && gradient.dtype !== 'float16' && fusable(master)) {
      const step = {
        scale,
        beta1,
        beta2,
        epsilon,
        keep: parameter.decays ? 1 - rate * weightDecay : 1,
        step: rate / (1 - beta1 ** this.updates),
        varianceScale: 1 / (1 - beta2 ** this.updates),
      };
      fusedAdamW_(master, gradient, mean, variance, step, master === value ? null : value);
      return;
    }
    const wide = gradient.to({ dtype: master.dtype });
    if (master.device !== 'cpu' && hasDeviceAdamW) {
      const scaled = scale === 1 ? wide : wide.mul(scale);
      const decay = parameter.decays ? weightDecay : 0;
      const step = { rate, beta1, beta2, epsilon, decay, updates: this.updates };
      deviceAdamW_({ master, gradient: scaled, mean, variance }, step);
      if (master !== value) value.copy_(master);
      return;
    }
    const g = wide.mul(scale);
    mean.mul_(beta1).add_(g, 1 - beta1);
    variance.mul_(beta2);
    op('aten::addcmul_')(variance, g, g, { value: 1 - beta2 });
    if (parameter.decays && weightDecay > 0) master.mul_(1 - rate * weightDecay);
    const root = variance
      .sqrt()
      .mul_(1 / Math.sqrt(1 - beta2 ** this.updates))
      .add_(epsilon);
    op('aten::addcdiv_')(master, mean, root, { value: -rate / (1 - beta1 ** this.updates) });
    if (master !== value) value.copy_(master);
  }

  /** Everything that a checkpoint needs besides `updates`, by name. */
  state(): Map<string, Tensor> {
    const entries = new Map<string, Tensor>();
    for (const { parameter, value, master, mean, variance } of this.slots) {
      entries.set(`mean.${parameter.name}`, mean);
      entries.set(`variance.${parameter.name}`, variance);
      if (master !== value) entries.set(`master.${parameter.name}`, master);
    }
    return entries;
  }

  [Symbol.dispose](): void {
    for (const { value, master, mean, variance } of this.slots) {
      mean.dispose();
      variance.dispose();
      if (master !== value) master.dispose();
    }
  }
}

function wholePart(parameter: NamedParameter): SteppedPart {
  return { parameter, value: parameter.tensor, gradient: () => parameter.tensor.grad };
}

/** Euclidean norm, added up in float32 whatever the dtype. */
function normInFloat32(gradient: Tensor): Tensor {
  if (gradient.dtype === 'float32' || gradient.dtype === 'float64') return gradient.to({ dtype: 'float32' }).norm();
  return op('aten::linalg_vector_norm')(gradient, 2, null, false, { dtype: 'float32' });
}
