/**
 * Writes a model folder with its matrices as whole numbers, tensor by tensor: one matrix's floats are in memory at a time, beside
 * what rounding by text needs (quantise/rounding.ts). Nothing is written before all of it is known.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { QuantisedWeight } from '@looprpt/engine';
import { UserError } from '../base/user-error.js';
import { assertFree, writeWholeFolder } from '../base/whole-folder.js';
import { toOuroConfig } from '../model/config.js';
import { type UpstreamTensor, upstreamTensors } from '../model/weights.js';
import { checkFinite, checkTensors, commonDType, readModelConfig } from './load-model.js';
import { headOf } from './load-read-only.js';
import {
  type ModelQuantisation,
  quantisationFor,
  quantisationName,
  quantisedParts,
  storedQuantisation,
  toQuantizationConfig,
} from './quantisation.js';
import { Rounding, type RoundingOptions } from './quantise/rounding.js';
import { storedBytes, type TensorToWrite, writeSafetensors } from './safetensors/write.js';
import { companionsIn } from './save-model.js';
import { type CheckpointTensor, CONFIG_FILE, StoredModel, WEIGHTS_FILE } from './stored-model.js';

/** Which task's settings a base was trained on; `eval --data task:NAME` asks for them. */
const TRAINED_ON = 'trained-on.json';

/** What became of a model's bytes. */
export interface QuantisedFolder {
  /** Of all tensors, before and after. */
  from: number;
  to: number;
}

export interface QuantiseOptions extends RoundingOptions {
  /** Told of bytes read so far, and of all. */
  onProgress?: ((bytes: number, all: number) => void) | undefined;
}

/**
 * @param from a model folder with floating-point weights @param dir must not exist, or be empty
 * @throws UserError where the folder is no such model, or `dir` is taken
 */
export async function quantiseModel(
  from: string,
  dir: string,
  quantisation: ModelQuantisation,
  { onProgress = () => {}, ...options }: QuantiseOptions = {},
): Promise<QuantisedFolder> {
  await assertFree(dir);
  const config = readModelConfig(from);
  const before = storedQuantisation(from);
  if (before)
    throw new UserError(
      `${from}: its weights are ${quantisationName(before)} already; take the model that they were made from`,
    );
  using stored = new StoredModel(from);
  checkTensors(config, stored.tensors, from);
  const all = [...stored.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  const dtype = commonDType(stored.tensors.values());
  using rounding = new Rounding(from, options);
  const written: TensorToWrite[] = [];
  let bytes = 0;
  const done = ({ byteLength }: CheckpointTensor): void => {
    bytes += byteLength;
    onProgress(bytes, all);
  };
  const tied = config.tieWordEmbeddings ? [{ ...headOf(config), source: 'model.embed_tokens.weight' }] : [];
  for (const tensor of [...upstreamTensors(config).map((one) => ({ ...one, source: one.name })), ...tied]) {
    const source = stored.tensors.get(tensor.source)!;
    if (isWhole(tensor)) {
      const weight = await rounding.round(tensor, () => finite(source), quantisationFor(tensor.name, quantisation));
      written.push(...partsOf(tensor, weight, quantisation));
    } else {
      const values = () => rounding.fitted(tensor)?.to({ dtype: source.dtype }) ?? finite(source);
      written.push({ ...tensor, dtype: source.dtype, values });
    }
    if (tensor.source === tensor.name) done(source);
  }
  await rounding.fit();
  await writeWholeFolder(dir, async (partial) => {
    writeSafetensors(join(partial, WEIGHTS_FILE), written);
    const json = { ...toOuroConfig(config, dtype), quantization_config: toQuantizationConfig(quantisation) };
    writeFileSync(join(partial, CONFIG_FILE), `${JSON.stringify(json, null, 2)}\n`, { flush: true });
    // Modelling code would not read these weights.
    const companions = companionsIn(from).filter((file) => !file.endsWith('.py'));
    for (const name of [...companions, ...(existsSync(join(from, TRAINED_ON)) ? [TRAINED_ON] : [])])
      await copyFile(join(from, name), join(partial, name));
  });
  return { from: all, to: written.reduce((sum, tensor) => sum + storedBytes(tensor), 0) };
}

function isWhole({ name, shape }: Pick<UpstreamTensor, 'name' | 'shape'>): boolean {
  return shape.length === 2 && name !== 'model.embed_tokens.weight' && name !== 'model.early_exit_gate.weight';
}

function finite(from: CheckpointTensor) {
  const values = from.load();
  checkFinite(values, from, 'is NaN or infinite');
  return values;
}

function partsOf(
  { name, shape }: UpstreamTensor,
  weight: QuantisedWeight,
  settings: ModelQuantisation,
): TensorToWrite[] {
  const parts = quantisedParts(name, shape as [number, number], settings);
  return [
    { ...parts.codes, values: () => weight.codes },
    { ...parts.scales, values: () => weight.scales },
    ...(parts.zeros ? [{ ...parts.zeros, values: () => weight.zeros! }] : []),
  ];
}
