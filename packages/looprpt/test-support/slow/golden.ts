/**
 * The golden checkpoints in fixtures/golden: configuration, weights (F32 safetensors only, whole or sharded) and the
 * recorded vectors, for tests.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { SlowConfig, SlowParams } from './slow-loop-lm.js';

export interface GoldenDecoding {
  tokens: number[][];
  chosen_logits: number[][];
  exit_step?: number[][];
}

/** The part of golden.json that these tests read; index letters as in slow-loop-lm.ts. */
export interface GoldenVectors {
  /** [b][s] */
  input_ids: number[][];
  labels: number[][];
  /** [k][b][s][v] */
  logits_per_step: number[][][][];
  /** [k][b][s] */
  gate_logits: number[][][];
  /** [b][s][k] */
  exit_pdf: number[][][];
  /** [b][s][k] */
  exit_cdf: number[][][];
  thresholds: Record<string, { exit_step: number[][] }>;
  /** [b][s][v] */
  expected_logits: number[][][];
  loss: number;
  loss_positions: number;
  grads: { l2_norm: Record<string, number>; entries: Record<string, { index: number[]; value: number }[]> };
  generation: {
    new_tokens: number;
    exit_at_step: Record<string, GoldenDecoding>;
    threshold: Record<string, GoldenDecoding>;
  };
  left_padding: {
    pad: number;
    input_ids: number[][];
    attention_mask: number[][];
    exit_at_step: number;
    /** [s][v] */
    row1_valid_logits: number[][];
    new_tokens: number;
    generation: GoldenDecoding;
  };
}

export interface Golden {
  config: SlowConfig;
  params: SlowParams;
  vectors: GoldenVectors;
}

/** Folder of a golden set, ending in a slash. */
export function goldenFolder(name: string): string {
  return fileURLToPath(new URL(`../fixtures/golden/${name}/`, import.meta.url));
}

export function loadGolden(name: 'tiny64' | 'gqa96'): Golden {
  const folder = goldenFolder(name);
  const shards = readdirSync(folder).filter((file) => file.endsWith('.safetensors'));
  assert(shards.length > 0, `no weights in ${folder}`);
  return {
    config: readConfig(`${folder}config.json`),
    params: Object.assign({}, ...shards.map((shard) => readFloat32Safetensors(folder + shard))) as SlowParams,
    vectors: JSON.parse(readFileSync(`${folder}golden.json`, 'utf8')) as GoldenVectors,
  };
}

function readConfig(path: string): SlowConfig {
  const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, number> & { tie_word_embeddings: boolean };
  return {
    vocabSize: json.vocab_size!,
    hiddenSize: json.hidden_size!,
    intermediateSize: json.intermediate_size!,
    layers: json.num_hidden_layers!,
    heads: json.num_attention_heads!,
    kvHeads: json.num_key_value_heads!,
    headDim: json.head_dim!,
    loops: json.total_ut_steps!,
    ropeTheta: json.rope_theta!,
    normEps: json.rms_norm_eps!,
    tieEmbeddings: json.tie_word_embeddings,
  };
}

function readFloat32Safetensors(path: string): SlowParams {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const dataStart = 8 + headerLength;
  const header = JSON.parse(file.toString('utf8', 8, dataStart)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const params: SlowParams = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    assert.equal(entry.dtype, 'F32', name);
    const [begin, end] = entry.data_offsets;
    const data = Float64Array.from({ length: (end - begin) / 4 }, (_, i) =>
      file.readFloatLE(dataStart + begin + 4 * i),
    );
    params[name] = { shape: entry.shape, data };
  }
  return params;
}
