/**
 * The looped language model: embedding → K × (shared stack → final norm), with a gate and the LM head after every loop.
 *
 * This one forward pass serves training, evaluation and generation. It returns hidden states; whoever needs logits asks
 * `logits` for the positions that matter, because B·S·K·V numbers are rarely wanted at once.
 *
 * Shapes: B batch, T positions, E hidden, V vocabulary, K loops, S keys, G key heads, D head size.
 */
import assert from 'node:assert/strict';
import { arange, type DType, embedding, type Generator, linear, type Tensor } from '@looprpt/engine';
import type { LoopLMConfig } from './config.js';
import type { KVCache } from './kv-cache.js';
import { hasOwnAttention, type Kernels } from './operators.js';
import { type PassContext, type PassShape, passContext } from './pass.js';
import { runLoop } from './stack.js';
import { type MatrixProducts, readOnlyView } from './stored-matrices.js';
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

/** How a forward pass departs from the plain one over all loops. */
export interface StatesOptions {
  /** Run fewer loops than the model has. */
  loops?: number;
  /** Keys and values of earlier tokens; this pass appends to them. */
  cache?: KVCache;
  /** Applied to the state after every loop's norm, before gate, head and the next loop read it: latent noise. */
  perturb?: (hiddenBTE: Tensor, loop: number) => Tensor;
  /** Filled with the joined, unrotated q, k and v rows [B, T, (H + 2G)·D] by loop and layer, detached; for rollouts. */
  keep?: Tensor[][];
  /** Start from this state, as if it had come out of loop `after` (from 0), instead of the embedding. */
  start?: { hiddenBTE: Tensor; after: number };
}

/** The network of a looped language model: weights, the forward pass over its loops, gate and LM head. Free it with `dispose`. */
export class LoopLM {
  readonly config: LoopLMConfig;
  readonly weights: Weights;
  /** Of a model that is only read: what its matrices are; activations are float32 then, and there are no gradients. */
  readonly stored: MatrixProducts | null;
  /** Fused operators where they apply; 'plain' is for comparison. */
  kernels: Kernels = 'fused';
  /** Keep only the states between loops for the backward pass, which runs each loop again: less memory, a third more work. */
  recomputeLoops = false;

  constructor(config: LoopLMConfig, weights: Weights, stored: MatrixProducts | null = null) {
    this.config = config;
    this.weights = weights;
    this.stored = stored;
  }

  /** A model with fresh weights. */
  static create(config: LoopLMConfig, generator: Generator, options: { dtype?: DType; device?: string } = {}): LoopLM {
    const { dtype = 'float32', device = 'cpu' } = options;
    return new LoopLM(config, initialWeights(config, generator, { dtype, device }));
  }

  /** Of activations, and unless the model is only read of weights too. */
  get dtype(): DType {
    return this.weights.finalNorm.dtype;
  }

  /** Of keys and values that a decoder keeps. */
  get cacheDType(): DType {
    return this.stored ? 'bfloat16' : this.dtype;
  }

  /** How the weights are held, for people: a dtype, or `int8 in groups of 32`. */
  get weightFormat(): string {
    return this.stored?.format ?? this.dtype;
  }

  /** Where the weights are: `cpu`, `cuda:0`. */
  get device(): string {
    return this.weights.embedding.device;
  }

  /** All weights by name, once each. */
  parameters(): NamedParameter[] {
    return namedParameters(this.weights);
  }

  /** Which weights gradients are recorded for: all, none, or those that the function picks. */
  setRequiresGrad(on: boolean | ((parameter: NamedParameter) => boolean)): this {
    assert(!this.stored, 'a model that is only read has no gradients');
    for (const parameter of this.parameters())
      parameter.tensor.requiresGrad = typeof on === 'boolean' ? on : on(parameter);
    return this;
  }

  /** This model's bfloat16 weights for reading alone, on the CPU; it must outlive what comes out, which is freed first. */
  readOnly(): LoopLM {
    const { weights, matrices } = readOnlyView(this.weights);
    const view = new LoopLM(this.config, weights, matrices);
    view.kernels = this.kernels;
    return view;
  }

  /** A model with a copy of the weights that needs no gradients. */
  clone(): LoopLM {
    assert(!this.stored, 'a model that is only read has no copy');
    const copy = new LoopLM(this.config, cloneWeights(this.weights));
    copy.kernels = this.kernels;
    copy.recomputeLoops = this.recomputeLoops;
    return copy;
  }

  /** Frees the weights. */
  dispose(): void {
    if (this.stored) this.stored[Symbol.dispose]();
    else for (const { tensor } of this.parameters()) tensor.dispose();
  }

  /** What stays the same through a pass over this batch. With `recomputeLoops` the backward pass reads it again. */
  context(batch: TokenBatch, cache?: KVCache): PassContext {
    const before = cache?.length ?? 0;
    const S = before + batch.idsBT.size(1);
    const placesBT = arange(before, S, { device: this.device }).unsqueeze(0);
    const positionsBT = batch.positionsBT ?? placesBT;
    const shape = { placesBT, positionsBT, firstKeyBT: batch.firstKeyBT ?? null, S };
    return this.contextOf(shape, { cached: cache !== undefined });
  }

  /** The same for places among other keys than their own pass's. @param options.cached keys and values come through a cache */
  contextOf(shape: PassShape, { cached = false }: { cached?: boolean } = {}): PassContext {
    const ownAttention = !cached && hasOwnAttention(this.kernels, this.weights.finalNorm);
    return passContext(this.config, shape, { dtype: this.dtype, ownAttention });
  }

  /** The state before the first loop: int64 [...] → [..., E]. */
  embed(ids: Tensor): Tensor {
    const rows = embedding(this.weights.embedding, ids);
    return rows.dtype === this.dtype ? rows : rows.to({ dtype: this.dtype });
  }

  /** Hidden states after each loop: K tensors [B, T, E], already normalised; the LM head and the gate read them as they are. */
  states(batch: TokenBatch, options: StatesOptions = {}, context?: PassContext): Tensor[] {
    const { loops = this.config.loops, cache, perturb, keep, start } = options;
    const pass = context ?? this.context(batch, cache);
    let hiddenBTE = start ? start.hiddenBTE : this.embed(batch.idsBT);
    const states: Tensor[] = [];
    for (let loop = start ? start.after + 1 : 0; loop < loops; loop++) {
      const result = runLoop(this, hiddenBTE, pass, {
        remember: cache && ((layer, fresh) => cache.append(loop, layer, fresh)),
        keep: keep !== undefined,
      });
      if (keep) keep[loop] = result.qkv;
      hiddenBTE = perturb ? perturb(result.hiddenBTE, loop) : result.hiddenBTE;
      states.push(hiddenBTE);
    }
    cache?.advance(batch.idsBT.size(1));
    return states;
  }

  /** Gate logits of states [..., E] → [...]. */
  gateLogits(hidden: Tensor): Tensor {
    const { gateWeight, gateBias } = this.weights;
    if (this.stored) return this.stored.product(hidden, gateWeight).add(gateBias).squeeze(-1);
    return linear(hidden, gateWeight, gateBias).squeeze(-1);
  }

  /** Next-token logits of states [..., E] → [..., V]. No further norm. */
  logits(hidden: Tensor): Tensor {
    return this.stored ? this.stored.product(hidden, this.weights.head) : linear(hidden, this.weights.head);
  }
}
