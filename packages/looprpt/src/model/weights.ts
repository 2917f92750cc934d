/**
 * The weights of a LoopLM as they are held in memory, and their upstream names.
 *
 * q, k and v are rows of one matrix and so are the MLP's gate and up, so that each is one product; optimizers and moving
 * averages are elementwise and do not notice. `upstreamViews` gives the checkpoint's tensors as views into these.
 *
 * Shapes: V vocabulary, E hidden, F MLP, H query heads, G key heads, D head size.
 */
import { type DType, empty, type Generator, ones, scope, type Tensor, zeros } from '@looprpt/engine';
import type { LoopLMConfig } from './config.js';

export interface LayerWeights {
  /** [(H + 2G)·D, E]: q rows, then k, then v. */
  qkv: Tensor;
  /** [E, H·D] */
  out: Tensor;
  /** [2F, E]: gate rows, then up. */
  gateUp: Tensor;
  /** [E, F] */
  down: Tensor;
  /** [E] each: before attention, after attention, before the MLP, after the MLP. */
  normBeforeAttention: Tensor;
  normAfterAttention: Tensor;
  normBeforeMlp: Tensor;
  normAfterMlp: Tensor;
}

export interface Weights {
  /** [V, E] */
  embedding: Tensor;
  layers: LayerWeights[];
  /** [E], at the end of every loop. */
  finalNorm: Tensor;
  /** [1, E] and [1] */
  gateWeight: Tensor;
  gateBias: Tensor;
  /** [V, E]; the embedding itself where they are tied. */
  head: Tensor;
}

export interface NamedParameter {
  name: string;
  tensor: Tensor;
  /** Part of the exit gate rather than of the language model. */
  isGate: boolean;
  /** Vectors (norms, biases) take no weight decay. */
  decays: boolean;
}

/** Every stored tensor once, in a fixed order: the order of optimizer state in a checkpoint. */
export function namedParameters(weights: Weights): NamedParameter[] {
  const named: [string, Tensor][] = [['embedding', weights.embedding]];
  weights.layers.forEach((layer, i) => {
    for (const [name, tensor] of Object.entries(layer) as [string, Tensor][])
      named.push([`layers.${i}.${name}`, tensor]);
  });
  named.push(['finalNorm', weights.finalNorm], ['gateWeight', weights.gateWeight], ['gateBias', weights.gateBias]);
  if (weights.head !== weights.embedding) named.push(['head', weights.head]);
  return named.map(([name, tensor]) => ({
    name,
    tensor,
    isGate: name === 'gateWeight' || name === 'gateBias',
    decays: tensor.dim > 1,
  }));
}

/** One tensor of a checkpoint: its upstream name, and the rows of a stored tensor that it is. */
export interface UpstreamTensor {
  name: string;
  shape: readonly number[];
  /** The stored tensor and the rows [from, to) of it. */
  stored: (weights: Weights) => Tensor;
  rows: readonly [from: number, to: number];
}

/** Every tensor of a checkpoint of this configuration, in upstream's order. */
export function upstreamTensors(config: LoopLMConfig): UpstreamTensor[] {
  const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D, vocabSize: V } = config;
  const list: UpstreamTensor[] = [];
  const add = (name: string, shape: number[], stored: (weights: Weights) => Tensor, from = 0): void => {
    list.push({ name, shape, stored, rows: [from, from + shape[0]!] });
  };
  add('model.embed_tokens.weight', [V, E], (w) => w.embedding);
  for (let i = 0; i < config.layers; i++) {
    const prefix = `model.layers.${i}.`;
    const layer = (w: Weights): LayerWeights => w.layers[i]!;
    add(`${prefix}self_attn.q_proj.weight`, [H * D, E], (w) => layer(w).qkv, 0);
    add(`${prefix}self_attn.k_proj.weight`, [G * D, E], (w) => layer(w).qkv, H * D);
    add(`${prefix}self_attn.v_proj.weight`, [G * D, E], (w) => layer(w).qkv, (H + G) * D);
    add(`${prefix}self_attn.o_proj.weight`, [E, H * D], (w) => layer(w).out);
    add(`${prefix}mlp.gate_proj.weight`, [F, E], (w) => layer(w).gateUp, 0);
    add(`${prefix}mlp.up_proj.weight`, [F, E], (w) => layer(w).gateUp, F);
    add(`${prefix}mlp.down_proj.weight`, [E, F], (w) => layer(w).down);
    add(`${prefix}input_layernorm.weight`, [E], (w) => layer(w).normBeforeAttention);
    add(`${prefix}input_layernorm_2.weight`, [E], (w) => layer(w).normAfterAttention);
    add(`${prefix}post_attention_layernorm.weight`, [E], (w) => layer(w).normBeforeMlp);
    add(`${prefix}post_attention_layernorm_2.weight`, [E], (w) => layer(w).normAfterMlp);
  }
  add('model.norm.weight', [E], (w) => w.finalNorm);
  add('model.early_exit_gate.weight', [1, E], (w) => w.gateWeight);
  add('model.early_exit_gate.bias', [1], (w) => w.gateBias);
  if (!config.tieWordEmbeddings) add('lm_head.weight', [V, E], (w) => w.head);
  return list;
}

/** Weights of the right shapes whose values are not set yet. */
export function emptyWeights(config: LoopLMConfig, options: { dtype: DType; device: string }): Weights {
  const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D, vocabSize: V } = config;
  const make = (...shape: number[]): Tensor => empty(shape, options).persist();
  const norm = (): Tensor => ones([E], options).persist();
  const table = make(V, E);
  return {
    embedding: table,
    layers: Array.from({ length: config.layers }, () => ({
      qkv: make((H + 2 * G) * D, E),
      out: make(E, H * D),
      gateUp: make(2 * F, E),
      down: make(E, F),
      normBeforeAttention: norm(),
      normAfterAttention: norm(),
      normBeforeMlp: norm(),
      normAfterMlp: norm(),
    })),
    finalNorm: norm(),
    gateWeight: make(1, E),
    gateBias: zeros([1], options).persist(),
    head: config.tieWordEmbeddings ? table : make(V, E),
  };
}

/**
 * Upstream's initialisation: matrices normal(0, initializer_range), norms 1, the gate's bias 0. Drawn on the CPU in float32, so that
 * a seed gives the same model on every device.
 */
export function initialWeights(
  config: LoopLMConfig,
  generator: Generator,
  options: { dtype: DType; device: string },
): Weights {
  const weights = emptyWeights(config, options);
  for (const { tensor, decays } of namedParameters(weights))
    if (decays) scope(() => tensor.copy_(empty(tensor.shape).normal_(0, config.initializerRange, generator)));
  return weights;
}

/** A copy with its own memory. */
export function cloneWeights(weights: Weights): Weights {
  return mapWeights(weights, (tensor) => scope(() => tensor.detach().clone().persist()));
}

/** Every tensor replaced by another; one that stands in two places, as a tied head does, is replaced once. */
export function mapWeights(weights: Weights, replacement: (tensor: Tensor) => Tensor): Weights {
  const embedding = replacement(weights.embedding);
  return {
    embedding,
    layers: weights.layers.map(
      (layer) =>
        Object.fromEntries(
          Object.entries(layer).map(([name, tensor]) => [name, replacement(tensor as Tensor)]),
        ) as unknown as LayerWeights,
    ),
    finalNorm: replacement(weights.finalNorm),
    gateWeight: replacement(weights.gateWeight),
    gateBias: replacement(weights.gateBias),
    head: weights.head === weights.embedding ? embedding : replacement(weights.head),
  };
}
