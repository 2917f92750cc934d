/**
 * LoopLMs for tests of evaluation and generation: the golden fixtures, and tiny ones whose weights the slow float64
 * reference shares. Never imported by the product.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scope, tensor } from '@looprpt/engine';
import { parseOuroConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { emptyWeights, upstreamTensors } from '../model/weights.js';
import type { SlowConfig } from '../testing/slow/slow-loop-lm.js';
import { configJson, type TinyModel, tinyModel } from '../testing/slow/tiny-model.js';

/** A LoopLM in float32 from a configuration file's JSON and its tensors by upstream name. */
export function loopLMFrom(json: unknown, values: (name: string) => Float32Array): LoopLM {
  const config = parseOuroConfig({ torch_dtype: 'float32', dtype: 'float32', ...(json as object) }, 'config.json');
  const weights = emptyWeights(config, { dtype: 'float32', device: 'cpu' });
  scope(() => {
    for (const { name, shape, stored, rows } of upstreamTensors(config))
      stored(weights)
        .slice(0, ...rows)
        .copy_(tensor(values(name), { shape }));
  });
  return new LoopLM(config, weights);
}

/** The same tiny model twice: for libtorch in float32, and for the slow reference. */
export function tinyLoopLM(seed: number, overrides: Partial<SlowConfig> = {}): { model: LoopLM; slow: TinyModel } {
  const slow = tinyModel(seed, overrides);
  const values = (name: string): Float32Array => Float32Array.from(slow.params[name]!.data);
  return { model: loopLMFrom(configJson(slow.config), values), slow };
}

export const goldenFolder = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/golden/${name}/`, import.meta.url));

export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(join(goldenFolder(name), 'golden.json'), 'utf8')) as T;
}

/** The fixture's model; its weights are float32 safetensors, one file or several. */
export function goldenModel(name: string): LoopLM {
  const folder = goldenFolder(name);
  const tensors = new Map<string, Float32Array>();
  for (const file of readdirSync(folder).filter((entry) => entry.endsWith('.safetensors'))) {
    const bytes = readFileSync(join(folder, file));
    const headerEnd = 8 + Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString('utf8', 8, headerEnd)) as Record<string, StoredTensor>;
    for (const [key, { dtype, data_offsets: offsets }] of Object.entries(header)) {
      if (key === '__metadata__') continue;
      assert.equal(dtype, 'F32');
      const [start, end] = offsets;
      tensors.set(key, new Float32Array(Uint8Array.from(bytes.subarray(headerEnd + start, headerEnd + end)).buffer));
    }
  }
  const json: unknown = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  return loopLMFrom(json, (key) => tensors.get(key)!);
}

interface StoredTensor {
  dtype: string;
  data_offsets: [number, number];
}
