/**
 * A model of a few hundred parameters, and numbers for tests: all a function of the seed alone, on every machine.
 * The weights are larger than a real initialisation, so that loops, gates and tokens really differ.
 */
import type { SlowConfig, SlowParams } from './slow-loop-lm.js';

export interface Random {
  /** in (0, 1) */
  uniform(): number;
  /** standard normal */
  normal(): number;
  /** 0 <= integer < n */
  below(n: number): number;
}

/** Marsaglia's 32-bit xorshift, with Box and Muller's transform for normal numbers. */
export function random(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  const uniform = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) + 0.5) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) uniform();
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
    below: (n) => Math.floor(uniform() * n),
  };
}

export function tinyConfig(overrides: Partial<SlowConfig> = {}): SlowConfig {
  return {
    vocabSize: 11,
    hiddenSize: 8,
    intermediateSize: 12,
    layers: 2,
    heads: 2,
    kvHeads: 1,
    headDim: 4,
    loops: 3,
    ropeTheta: 10000,
    normEps: 1e-6,
    tieEmbeddings: false,
    ...overrides,
  };
}

/** Every parameter's name and shape, in upstream's order. */
export function parameterShapes(config: SlowConfig): Record<string, number[]> {
  const { vocabSize: V, hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D } = config;
  const shapes: Record<string, number[]> = { 'model.embed_tokens.weight': [V, E] };
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}`;
    shapes[`${prefix}.self_attn.q_proj.weight`] = [H * D, E];
    shapes[`${prefix}.self_attn.k_proj.weight`] = [G * D, E];
    shapes[`${prefix}.self_attn.v_proj.weight`] = [G * D, E];
    shapes[`${prefix}.self_attn.o_proj.weight`] = [E, H * D];
    shapes[`${prefix}.mlp.gate_proj.weight`] = [F, E];
    shapes[`${prefix}.mlp.up_proj.weight`] = [F, E];
    shapes[`${prefix}.mlp.down_proj.weight`] = [E, F];
    shapes[`${prefix}.input_layernorm.weight`] = [E];
    shapes[`${prefix}.input_layernorm_2.weight`] = [E];
    shapes[`${prefix}.post_attention_layernorm.weight`] = [E];
    shapes[`${prefix}.post_attention_layernorm_2.weight`] = [E];
  }
  shapes['model.norm.weight'] = [E];
  shapes['model.early_exit_gate.weight'] = [1, E];
  shapes['model.early_exit_gate.bias'] = [1];
  if (!config.tieEmbeddings) shapes['lm_head.weight'] = [V, E];
  return shapes;
}

/** The same configuration under the names of a checkpoint's config.json. */
export function configJson(config: SlowConfig) {
  return {
    model_type: 'ouro',
    architectures: ['OuroForCausalLM'],
    hidden_act: 'silu',
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    total_ut_steps: config.loops,
    rope_theta: config.ropeTheta,
    rms_norm_eps: config.normEps,
    tie_word_embeddings: config.tieEmbeddings,
  };
}

export interface TinyModel {
  config: SlowConfig;
  params: SlowParams;
}

export function tinyModel(seed: number, overrides: Partial<SlowConfig> = {}): TinyModel {
  const config = tinyConfig(overrides);
  const numbers = random(seed);
  const params: SlowParams = {};
  for (const [name, shape] of Object.entries(parameterShapes(config))) {
    const size = shape.reduce((product, n) => product * n, 1);
    const isNorm = name.includes('norm');
    const spread = isNorm ? 0.2 : name.includes('embed') ? 1 : 1 / Math.sqrt(shape[1] ?? 4);
    const data = Float64Array.from({ length: size }, () => (isNorm ? 1 : 0) + spread * numbers.normal());
    params[name] = { shape, data };
  }
  return { config, params };
}

/** A copy with every element moved by normal noise: a teacher that is near the student, not equal to it. */
export function nearbyParams(params: SlowParams, seed: number, spread: number): SlowParams {
  const numbers = random(seed);
  return Object.fromEntries(
    Object.entries(params).map(([name, { shape, data }]) => [
      name,
      { shape, data: data.map((value) => value + spread * numbers.normal()) },
    ]),
  );
}

/** Latent noise [rollout][k][b][s][e], normal with standard deviation sigma. */
export function latentNoise(
  config: SlowConfig,
  seed: number,
  sigma: number,
  size: { rollouts: number; rows: number; length: number },
): number[][][][][] {
  const numbers = random(seed);
  const times = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make);
  const state = () => times(config.hiddenSize, () => sigma * numbers.normal());
  return times(size.rollouts, () => times(config.loops, () => times(size.rows, () => times(size.length, state))));
}
