/**
 * What a LoopLM is made of: Ouro's `config.json`, checked once when it is read.
 *
 * Keys that other software wrote and that do not touch the computation (`transformers_version`, `auto_map`, …) are kept
 * in `extra` and written back on saving. Loops are counted by `total_ut_steps` (K).
 */
import { z } from 'zod';
import { UserError } from '../base/user-error.js';
import { unexplainedKeys } from './foreign-keys.js';
import { readRope, ropeKeys } from './rope-config.js';

const positive = z.number().int().positive();

/** The keys of `config.json` that decide the computation, with upstream's names. */
export const ouroConfigSchema = z.object({
  model_type: z.literal('ouro', {
    error: ({ input }) => `${JSON.stringify(input) ?? 'missing'}: Ouro's architecture is run here, "ouro"`,
  }),
  vocab_size: positive.describe('V'),
  hidden_size: positive.describe('E'),
  intermediate_size: positive.describe('F, width of the MLP'),
  num_hidden_layers: positive.max(10_000).describe('L, physical layers, shared by all loops'),
  num_attention_heads: positive.describe('H, query heads'),
  num_key_value_heads: positive.nullish().describe('G, key and value heads; H where it is missing'),
  head_dim: positive.nullish().describe('D; hidden_size / heads where it is missing'),
  hidden_act: z.literal('silu').default('silu'),
  rms_norm_eps: z.number().positive().default(1e-6),
  ...ropeKeys,
  attention_dropout: z.number().min(0).max(1).default(0).describe('not applied: training has no dropout here'),
  initializer_range: z.number().positive().default(0.02),
  tie_word_embeddings: z.boolean().default(false).describe('the LM head is the embedding matrix'),
  total_ut_steps: positive.default(4).describe('K, loops'),
  early_exit_threshold: z.number().nullish().describe('default q of the exit rule; upstream ships 1.0'),
  early_exit_step: z.number().int().nullish().describe('default fixed loop, counted from 0 as upstream does'),
  use_sliding_window: z.boolean().default(false),
  sliding_window: positive.nullish(),
  max_window_layers: z.number().int().nonnegative().nullish(),
  layer_types: z.array(z.enum(['full_attention', 'sliding_attention'])).nullish(),
  bos_token_id: z.number().int().nonnegative().nullish(),
  eos_token_id: z.union([z.number().int().nonnegative(), z.array(z.number().int().nonnegative())]).nullish(),
  pad_token_id: z.number().int().min(-1).nullish().describe('-1: none'),
  torch_dtype: z.unknown().optional().describe('not used: the tensors have their dtypes; rewritten on saving'),
  dtype: z.unknown().optional().describe('newer name of torch_dtype'),
});

/** The architecture of a looped language model, resolved. Letters are those of the specification. */
export interface LoopLMConfig {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  loops: number;
  tieWordEmbeddings: boolean;
  initializerRange: number;
  /** Per layer: how many keys back a query sees, itself included; null for all. */
  windows: readonly (number | null)[];
  /** Default cdf threshold of the exit rule, or null. */
  exitThreshold: number | null;
  /** Default fixed loop counted from 1, or null. */
  exitLoop: number | null;
  bosTokenId: number | null;
  eosTokenIds: readonly number[];
  padTokenId: number | null;
  /** Everything else that stood in the file. */
  extra: Readonly<Record<string, unknown>>;
  /** What the file asks for and does not get, a clause each; to be told to whoever opens the model. */
  remarks?: readonly string[];
}

/** Reads the parsed JSON of a `config.json`. @throws UserError naming the file and the key at fault */
export function parseOuroConfig(json: unknown, where: string): LoopLMConfig {
  const parsed = ouroConfigSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new UserError(`${where}: ${issue.path.join('.') || 'the file'}: ${issue.message}`);
  }
  const c = parsed.data;
  const kvHeads = c.num_key_value_heads ?? c.num_attention_heads;
  const headDim = c.head_dim ?? c.hidden_size / c.num_attention_heads;
  const fail = (key: string, message: string): never => {
    throw new UserError(`${where}: ${key}: ${message}`);
  };
  if (c.num_attention_heads % kvHeads !== 0)
    fail('num_key_value_heads', `${c.num_attention_heads} query heads cannot share ${kvHeads} key heads evenly`);
  if (!Number.isInteger(headDim)) fail('head_dim', `missing, and hidden_size / num_attention_heads is ${headDim}`);
  if (headDim % 2 !== 0) fail('head_dim', `rotary embeddings need an even size, not ${headDim}`);
  const window = c.use_sliding_window ? (c.sliding_window ?? null) : null;
  const types =
    c.layer_types ??
    Array.from({ length: c.num_hidden_layers }, (_, i) =>
      window !== null && i >= (c.max_window_layers ?? 28) ? 'sliding_attention' : 'full_attention',
    );
  if (types.length !== c.num_hidden_layers)
    fail('layer_types', `${types.length} entries for ${c.num_hidden_layers} layers`);
  const eos = c.eos_token_id ?? [];
  const known = new Set(Object.keys(ouroConfigSchema.shape));
  const extra = Object.fromEntries(Object.entries(json as object).filter(([key]) => !known.has(key)));
  const step = c.early_exit_step ?? null;
  const rope = readRope(c, fail);
  const remarks = [
    ...[...rope.unknown, ...unexplainedKeys(extra)].map((key) => `${key} is not known here and has no effect`),
    ...(c.attention_dropout > 0
      ? [`attention_dropout ${c.attention_dropout} is not applied: training has no dropout here`]
      : []),
  ];
  return {
    vocabSize: c.vocab_size,
    hiddenSize: c.hidden_size,
    intermediateSize: c.intermediate_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    kvHeads,
    headDim,
    rmsNormEps: c.rms_norm_eps,
    ropeTheta: rope.theta,
    loops: c.total_ut_steps,
    tieWordEmbeddings: c.tie_word_embeddings,
    initializerRange: c.initializer_range,
    windows: types.map((type) => (type === 'sliding_attention' ? window : null)),
    exitThreshold: c.early_exit_threshold === undefined ? 1 : c.early_exit_threshold,
    exitLoop: step !== null && step >= 0 && step < c.total_ut_steps ? step + 1 : null,
    bosTokenId: c.bos_token_id ?? null,
    eosTokenIds: Array.isArray(eos) ? eos : [eos],
    padTokenId: c.pad_token_id === -1 ? null : (c.pad_token_id ?? null),
    extra,
    ...(remarks.length > 0 ? { remarks } : {}),
  };
}

/**
 * The `config.json` of a model: Ouro's own keys and layout. The rotary embeddings stand in the older form, which transformers 4
 * and 5 (read with 4.54 and 5.24) understand alike. `auto_map` names upstream's modelling code and is written only with it.
 */
export function toOuroConfig(
  config: LoopLMConfig,
  dtype: string,
  { withCode = false }: { withCode?: boolean | undefined } = {},
): Record<string, unknown> {
  const { auto_map, ...extra } = config.extra;
  const window = config.windows.find((w) => w !== null) ?? null;
  return {
    architectures: ['OuroForCausalLM'],
    attention_dropout: 0,
    transformers_version: '4.55.0',
    use_cache: true,
    ...extra,
    ...(withCode && auto_map !== undefined ? { auto_map } : {}),
    model_type: 'ouro',
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    hidden_act: 'silu',
    initializer_range: config.initializerRange,
    rms_norm_eps: config.rmsNormEps,
    rope_theta: config.ropeTheta,
    rope_scaling: null,
    tie_word_embeddings: config.tieWordEmbeddings,
    total_ut_steps: config.loops,
    early_exit_threshold: config.exitThreshold,
    ...(config.exitLoop === null ? {} : { early_exit_step: config.exitLoop - 1 }),
    use_sliding_window: window !== null,
    sliding_window: window,
    max_window_layers: config.layers,
    layer_types: config.windows.map((w) => (w === null ? 'full_attention' : 'sliding_attention')),
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenIds.length > 1 ? config.eosTokenIds : (config.eosTokenIds[0] ?? null),
    ...(config.padTokenId === null ? {} : { pad_token_id: config.padTokenId }),
    torch_dtype: dtype,
  };
}

/** Number of weights; a tied LM head counts once. */
export function parameterCount(config: LoopLMConfig): number {
  const { hiddenSize: E, intermediateSize: F, layers: L, heads: H, kvHeads: G, headDim: D, vocabSize: V } = config;
  const layer = E * (H + 2 * G) * D + H * D * E + 3 * E * F + 4 * E;
  return V * E * (config.tieWordEmbeddings ? 1 : 2) + L * layer + E + (E + 1);
}
