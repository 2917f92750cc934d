/**
 * The LoopLM forward pass (Ouro architecture, one stack of layers run K times) with plain numbers: float64, nested
 * arrays, one position at a time. The reference that the tensor code is compared with; it shares nothing with it and is
 * not meant to be fast.
 *
 * Index letters: k loop, i layer, b row, s position, e feature, g key-value head, d feature of a head, v vocabulary id.
 * Loops are numbered from 0. A pass yields states only; `gateLogits` and `headLogits` read them, so that a caller can
 * read the states of one set of parameters with the gate or head of another.
 */
import assert from 'node:assert/strict';

export interface SlowConfig {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  loops: number;
  ropeTheta: number;
  normEps: number;
  tieEmbeddings: boolean;
}

/** Row-major numbers; linear maps are stored [out, in]. */
export interface SlowTensor {
  shape: number[];
  data: Float64Array;
}

/** Parameters by their upstream state_dict names. */
export type SlowParams = Record<string, SlowTensor>;

export interface SlowInput {
  /** [b][s] token ids; rows may differ in length. */
  ids: number[][];
  /** [b][s] document number: attention stays within one number, positions count from 0 in each. Default: one document. */
  segments?: number[][] | undefined;
  /** [b][s] 1 = real, 0 = padding, never attended to by others; positions count the real tokens. */
  attentionMask?: number[][] | undefined;
}

/** Key (already rotated) and value of one position: [g][d] each. */
export interface SlowKeyValue {
  key: number[][];
  value: number[][];
}

export interface SlowPass {
  /** [k][b][s][e] state after loop k: after the final norm, and after the noise if there was any. */
  hidden: number[][][][];
  /** [k][i][b][s] */
  keyValues: SlowKeyValue[][][][];
}

export function parameter(params: SlowParams, name: string): SlowTensor {
  const found = params[name];
  assert(found, `no parameter ${name}`);
  return found;
}

export function addVectors(x: readonly number[], y: readonly number[]): number[] {
  assert.equal(x.length, y.length);
  return x.map((value, e) => value + y[e]!);
}

function dot(x: readonly number[], y: readonly number[]): number {
  let sum = 0;
  for (let d = 0; d < x.length; d++) sum += x[d]! * y[d]!;
  return sum;
}

/** y = x·Wᵀ for one vector. */
export function linear(weight: SlowTensor, x: readonly number[]): number[] {
  const [outputs, inputs] = weight.shape as [number, number];
  assert.equal(x.length, inputs);
  const y = new Array<number>(outputs);
  for (let o = 0; o < outputs; o++) {
    let sum = 0;
    for (let e = 0; e < inputs; e++) sum += weight.data[o * inputs + e]! * x[e]!;
    y[o] = sum;
  }
  return y;
}

export function rmsNorm(weight: SlowTensor, x: readonly number[], eps: number): number[] {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + eps);
  return x.map((value, e) => weight.data[e]! * (value * scale));
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** Rotary embedding, half-split: features j and j + D/2 turn together by position · theta^(-2j/D). */
function rotate(vector: readonly number[], position: number, theta: number): number[] {
  const half = vector.length / 2;
  const rotated = [...vector];
  for (let j = 0; j < half; j++) {
    const angle = position * theta ** ((-2 * j) / vector.length);
    rotated[j] = vector[j]! * Math.cos(angle) - vector[j + half]! * Math.sin(angle);
    rotated[j + half] = vector[j + half]! * Math.cos(angle) + vector[j]! * Math.sin(angle);
  }
  return rotated;
}

function splitHeads(x: readonly number[], headDim: number): number[][] {
  const heads: number[][] = [];
  for (let start = 0; start < x.length; start += headDim) heads.push(x.slice(start, start + headDim));
  return heads;
}

/** Key and value that layer `layer` makes of the residual stream `x` at `position`. */
export function keyValueAt(
  config: SlowConfig,
  params: SlowParams,
  layer: number,
  x: readonly number[],
  position: number,
): SlowKeyValue {
  const prefix = `model.layers.${layer}`;
  const normed = rmsNorm(parameter(params, `${prefix}.input_layernorm.weight`), x, config.normEps);
  const keys = splitHeads(linear(parameter(params, `${prefix}.self_attn.k_proj.weight`), normed), config.headDim);
  const value = splitHeads(linear(parameter(params, `${prefix}.self_attn.v_proj.weight`), normed), config.headDim);
  return { key: keys.map((head) => rotate(head, position, config.ropeTheta)), value };
}

/** Softmax attention of one position over exactly the keys and values in `context`; heads concatenated, no o_proj. */
function attend(config: SlowConfig, queries: number[][], position: number, context: readonly SlowKeyValue[]): number[] {
  const output: number[] = [];
  queries.forEach((query, head) => {
    const g = Math.floor(head / (config.heads / config.kvHeads));
    const rotated = rotate(query, position, config.ropeTheta);
    const scores = context.map(({ key }) => dot(rotated, key[g]!) / Math.sqrt(config.headDim));
    const probabilities = logSoftmax(scores).map(Math.exp);
    for (let d = 0; d < config.headDim; d++) {
      output.push(context.reduce((sum, { value }, j) => sum + probabilities[j]! * value[g]![d]!, 0));
    }
  });
  return output;
}

/** One layer at one position: the residual stream `x` reads `context` and passes the MLP. */
export function layerAt(
  config: SlowConfig,
  params: SlowParams,
  layer: number,
  x: readonly number[],
  position: number,
  context: readonly SlowKeyValue[],
): number[] {
  const weight = (name: string) => parameter(params, `model.layers.${layer}.${name}.weight`);
  const norm = (name: string, vector: readonly number[]) => rmsNorm(weight(name), vector, config.normEps);

  const queries = splitHeads(linear(weight('self_attn.q_proj'), norm('input_layernorm', x)), config.headDim);
  const attention = linear(weight('self_attn.o_proj'), attend(config, queries, position, context));
  const a = addVectors(x, norm('input_layernorm_2', attention));

  const u = norm('post_attention_layernorm', a);
  const up = linear(weight('mlp.up_proj'), u);
  const gated = linear(weight('mlp.gate_proj'), u).map((t, f) => t * sigmoid(t) * up[f]!);
  return addVectors(a, norm('post_attention_layernorm_2', linear(weight('mlp.down_proj'), gated)));
}

/** Rotary position of every token: how many real tokens of the same document stand before it (padding: 1). */
export function rotaryPositions(input: SlowInput): number[][] {
  return input.ids.map((row, b) =>
    row.map((_, s) => {
      if (input.attentionMask?.[b]?.[s] === 0) return 1;
      return row.filter((_, j) => j < s && isVisible(input, b, s, j)).length;
    }),
  );
}

/** May position s attend to position j? Always to itself, so that padding has something to read. */
export function isVisible(input: SlowInput, b: number, s: number, j: number): boolean {
  if (j === s) return true;
  const sameDocument = input.segments === undefined || input.segments[b]![j] === input.segments[b]![s];
  return j < s && sameDocument && input.attentionMask?.[b]?.[j] !== 0;
}

/**
 * All K loops over all positions. `noise[k][b][s][e]`, already scaled, is added to the state after the final norm of
 * loop k: gate and head read the noisy state, and loop k + 1 starts from it.
 */
export function forward(config: SlowConfig, params: SlowParams, input: SlowInput, noise?: number[][][][]): SlowPass {
  const embedding = parameter(params, 'model.embed_tokens.weight');
  const positions = rotaryPositions(input);
  let x = input.ids.map((row) =>
    row.map((id) => Array.from(embedding.data.subarray(id * config.hiddenSize, (id + 1) * config.hiddenSize))),
  );
  const pass: SlowPass = { hidden: [], keyValues: [] };
  for (let k = 0; k < config.loops; k++) {
    const keyValuesOfLoop: SlowKeyValue[][][] = [];
    for (let layer = 0; layer < config.layers; layer++) {
      const keyValues = x.map((row, b) =>
        row.map((vector, s) => keyValueAt(config, params, layer, vector, positions[b]![s]!)),
      );
      x = x.map((row, b) =>
        row.map((vector, s) => {
          const context = keyValues[b]!.filter((_, j) => isVisible(input, b, s, j));
          return layerAt(config, params, layer, vector, positions[b]![s]!, context);
        }),
      );
      keyValuesOfLoop.push(keyValues);
    }
    x = x.map((row, b) => row.map((vector, s) => endOfLoop(config, params, vector, noise?.[k]?.[b]?.[s])));
    pass.hidden.push(x);
    pass.keyValues.push(keyValuesOfLoop);
  }
  return pass;
}

/** What a loop ends with: the final norm, then the noise. */
export function endOfLoop(config: SlowConfig, params: SlowParams, x: readonly number[], noise?: number[]): number[] {
  const normed = rmsNorm(parameter(params, 'model.norm.weight'), x, config.normEps);
  return noise === undefined ? normed : addVectors(normed, noise);
}

/** Exit-gate logit a of one state. */
export function gateLogit(params: SlowParams, hidden: readonly number[]): number {
  const bias = parameter(params, 'model.early_exit_gate.bias').data[0]!;
  return linear(parameter(params, 'model.early_exit_gate.weight'), hidden)[0]! + bias;
}

/** Vocabulary logits [v] of one state. */
export function headLogits(config: SlowConfig, params: SlowParams, hidden: readonly number[]): number[] {
  return linear(parameter(params, config.tieEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'), hidden);
}

export function logSoftmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const logSum = largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  return logits.map((logit) => logit - logSum);
}
