/** Hugging Face model folders: `config.json`, and the index of shards with names that may lead elsewhere. */
import fc from 'fast-check';
import { loadModel } from 'looprpt/internal/checkpoint/load-model.js';
import { mutatedJson } from '../mutate/json.js';
import type { CaseFiles, FuzzTarget } from '../target.js';
import { safetensorsBytes } from './safetensors.js';

const CONFIG = {
  model_type: 'ouro',
  architectures: ['OuroForCausalLM'],
  hidden_act: 'silu',
  vocab_size: 5,
  hidden_size: 4,
  intermediate_size: 3,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 10000,
  rope_scaling: null,
  attention_dropout: 0,
  initializer_range: 0.02,
  tie_word_embeddings: false,
  total_ut_steps: 2,
  early_exit_threshold: 1,
  early_exit_step: 1,
  torch_dtype: 'float32',
  use_sliding_window: true,
  sliding_window: 2,
  max_window_layers: 1,
  layer_types: ['sliding_attention'],
  bos_token_id: 0,
  eos_token_id: [0, 2],
  pad_token_id: 1,
  auto_map: { AutoConfig: 'configuration_ouro.OuroConfig' },
};

const LAYER = 'model.layers.0';
const SHAPES: Record<string, number[]> = {
  'model.embed_tokens.weight': [5, 4],
  [`${LAYER}.self_attn.q_proj.weight`]: [4, 4],
  [`${LAYER}.self_attn.k_proj.weight`]: [2, 4],
  [`${LAYER}.self_attn.v_proj.weight`]: [2, 4],
  [`${LAYER}.self_attn.o_proj.weight`]: [4, 4],
  [`${LAYER}.mlp.gate_proj.weight`]: [3, 4],
  [`${LAYER}.mlp.up_proj.weight`]: [3, 4],
  [`${LAYER}.mlp.down_proj.weight`]: [4, 3],
  [`${LAYER}.input_layernorm.weight`]: [4],
  [`${LAYER}.input_layernorm_2.weight`]: [4],
  [`${LAYER}.post_attention_layernorm.weight`]: [4],
  [`${LAYER}.post_attention_layernorm_2.weight`]: [4],
  'model.norm.weight': [4],
  'model.early_exit_gate.weight': [1, 4],
  'model.early_exit_gate.bias': [1],
  'lm_head.weight': [5, 4],
};

/** A file with these tensors, all zero. */
function weights(names: readonly string[]): Buffer {
  let end = 0;
  const entries = names.map((name) => {
    const shape = SHAPES[name]!;
    const begin = end;
    end += 4 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }] as const;
  });
  return safetensorsBytes(Buffer.from(JSON.stringify(Object.fromEntries(entries))), new Uint8Array(end));
}

function load(folder: string): void {
  loadModel(folder).dispose();
}

/** A hostile configuration beside honest weights. */
export function config(): FuzzTarget {
  const whole = weights(Object.keys(SHAPES));
  return {
    cases: mutatedJson(CONFIG).map(
      (bytes): CaseFiles => [
        ['config.json', bytes],
        ['model.safetensors', whole],
      ],
    ),
    read: load,
  };
}

/** A hostile index of two honest shards. */
export function shardIndex(): FuzzTarget {
  const names = Object.keys(SHAPES);
  const halves = [names.slice(0, 8), names.slice(8)] as const;
  const index = {
    metadata: { total_size: 0 },
    weight_map: Object.fromEntries(
      names.map((name) => [name, halves[0].includes(name) ? 'a.safetensors' : 'b.safetensors']),
    ),
  };
  const honest: CaseFiles = [
    ['config.json', Buffer.from(JSON.stringify(CONFIG))],
    ['a.safetensors', weights(halves[0])],
    ['b.safetensors', weights(halves[1])],
  ];
  return {
    cases: fc
      .tuple(mutatedJson(index))
      .map(([bytes]): CaseFiles => [...honest, ['model.safetensors.index.json', bytes]]),
    read: load,
  };
}
