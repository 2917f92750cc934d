/**
 * The looped language model: embedding → K × (shared stack → final norm), with a gate and the LM head after every loop.
 *
 * This one forward pass serves training, evaluation and generation. It returns hidden states; whoever needs logits asks
 * `logits` for the positions that matter, because B·S·K·V numbers are rarely wanted at once.
 *
 * Shapes: B batch, T positions, E hidden, V vocabulary, K loops, S keys, G key heads, D head size.
 */
import { arange, type DType, embedding, type Generator, linear, type Tensor } from '@looprpt/engine';
import { type Visibility, visibility } from './attention.js';
import type { LoopLMConfig } from './config.js';
import type { KVCache } from './kv-cache.js';
import { type KeysValues, layerForward, rmsNorm } from './layer.js';
import { type RopeTables, ropeTables } from './rope.js';
import { cloneWeights, initialWeights, type NamedParameter, namedParameters, type Weights } from './weights.js';

/** Token ids and, where rows are more than one plain sequence, what each position may see. */
export interface TokenBatch {
  /** int64 [B, T] */
  idsBT: Tensor;
  /** int64 [B, T]; default: 0, 1, … after what the cache holds. */
  positionsBT?: Tensor | null;
  /** int64 [B, T]: the first place that a position may look at (its document's start, the end of left padding); default 0. */
  firstKeyBT?: Tensor | null;
}

export interface StatesOptions {
  /** Run fewer loops than the model has. */
  loops?: number;
  /** Keys and values of earlier tokens; this pass appends to them. */
  cache?: KVCache;
  /** Applied to the state after every loop's norm, before gate, head and the next loop read it: latent noise. */
  perturb?: (hiddenBTE: Tensor, loop: number) => Tensor;
  /** Called with every layer's keys and values; for rollouts over the clean pass. */
  keep?: (loop: number, layer: number, keysValues: KeysValues) => void;
  /** Start from this state, as if it had come out of loop `after` (from 0), instead of the embedding. */
  start?: { hiddenBTE: Tensor; after: number };
}

/** What does not change from loop to loop. */
export interface PassContext {
  rope: RopeTables;
  /** Per layer, because windows are per layer. */
  visible: readonly Visibility[];
}

export class LoopLM {
  readonly config: LoopLMConfig;
  readonly weights: Weights;

  constructor(config: LoopLMConfig, weights: Weights) {
    this.config = config;
    this.weights = weights;
  }

  /** A model with fresh weights. */
  static create(config: LoopLMConfig, generator: Generator, options: { dtype?: DType; device?: string } = {}): LoopLM {
    const { dtype = 'float32', device = 'cpu' } = options;
    return new LoopLM(config, initialWeights(config, generator, { dtype, device }));
  }

  get dtype(): DType {
    return this.weights.embedding.dtype;
  }
  get device(): string {
    return this.weights.embedding.device;
  }

  parameters(): NamedParameter[] {
    return namedParameters(this.weights);
  }

  setRequiresGrad(on: boolean | ((parameter: NamedParameter) => boolean)): this {
    for (const parameter of this.parameters())
      parameter.tensor.requiresGrad = typeof on === 'boolean' ? on : on(parameter);
    return this;
  }

  /** A model with a copy of the weights that needs no gradients. */
  clone(): LoopLM {
    return new LoopLM(this.config, cloneWeights(this.weights));
  }

  dispose(): void {
    for (const { tensor } of this.parameters()) tensor.dispose();
  }

  /** Rotary tables and visibility of a pass. */
  context(batch: TokenBatch, cachedLength = 0): PassContext {
    const T = batch.idsBT.size(1);
    const positionsBT =
      batch.positionsBT ?? arange(cachedLength, cachedLength + T, { device: this.device }).unsqueeze(0);
    const like = this.weights.embedding;
    const shared = new Map<number | null, Visibility>();
    const visible = this.config.windows.map((window) => {
      const known = shared.get(window) ?? visibility(T, cachedLength + T, batch.firstKeyBT ?? null, window, like);
      shared.set(window, known);
      return known;
    });
    return { rope: ropeTables(this.config, positionsBT, this.dtype), visible };
  }

  /** Hidden states after each loop: K tensors [B, T, E], already normalised; the LM head and the gate read them as they are. */
  states(batch: TokenBatch, options: StatesOptions = {}, context?: PassContext): Tensor[] {
    const { loops = this.config.loops, cache, perturb, keep, start } = options;
    const { rope, visible } = context ?? this.context(batch, cache?.length ?? 0);
    let hiddenBTE = start ? start.hiddenBTE : embedding(this.weights.embedding, batch.idsBT);
    const states: Tensor[] = [];
    for (let loop = start ? start.after + 1 : 0; loop < loops; loop++) {
      this.weights.layers.forEach((layer, i) => {
        hiddenBTE = layerForward(hiddenBTE, layer, this.config, rope, visible[i]!, (fresh) => {
          const known = cache ? cache.append(loop, i, fresh) : fresh;
          keep?.(loop, i, known);
          return known;
        });
      });
      hiddenBTE = rmsNorm(hiddenBTE, this.weights.finalNorm, this.config.rmsNormEps);
      if (perturb) hiddenBTE = perturb(hiddenBTE, loop);
      states.push(hiddenBTE);
    }
    cache?.advance(batch.idsBT.size(1));
    return states;
  }

  /** Gate logits of states [..., E] → [...]. */
  gateLogits(hidden: Tensor): Tensor {
    return linear(hidden, this.weights.gateWeight, this.weights.gateBias).squeeze(-1);
  }

  /** Next-token logits of states [..., E] → [..., V]. No further norm. */
  logits(hidden: Tensor): Tensor {
    return linear(hidden, this.weights.head);
  }
}
