/**
 * Writes a model folder with its matrices as whole numbers, tensor by tensor: one matrix's floats are in memory at a time. With text
 * to calibrate on, the model is held beside it, where it lies in the file, and what error-feedback.ts needs of a few layers.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noGrad, type QuantisedWeight, quantise, scope, type Tensor } from '@looprpt/engine';
import { UserError } from '../base/user-error.js';
import { assertFree, writeWholeFolder } from '../base/whole-folder.js';
import { toOuroConfig } from '../model/config.js';
import type { LoopLM } from '../model/loop-lm.js';
import { type UpstreamTensor, upstreamTensors } from '../model/weights.js';
import { loadMapped } from './load-mapped.js';
import { checkFinite, checkTensors, commonDType, readModelConfig } from './load-model.js';
import { headOf, isReadableInPlace, loadReadOnly } from './load-read-only.js';
import {
  type ModelQuantisation,
  quantisationFor,
  quantisationName,
  quantisedParts,
  storedQuantisation,
  toQuantizationConfig,
} from './quantisation.js';
import { quantiseWithFeedback } from './quantise/error-feedback.js';
import type { Fit } from './quantise/fitting.js';
import { type Calibration, InputFactors } from './quantise/input-moments.js';
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

export interface QuantiseOptions {
  /** Told of bytes read so far, and of all. */
  onProgress?: ((bytes: number, all: number) => void) | undefined;
  /** Text by which errors are made up for; default: each weight is rounded for itself. */
  calibration?: Calibration | undefined;
  /** With text: what fits norms and gate to the whole numbers, and in how many passes; default: they stay as they are. */
  fit?: { run: Fit; passes: number } | undefined;
}

/**
 * @param from a model folder with floating-point weights @param dir must not exist, or be empty
 * @throws UserError where the folder is no such model, or `dir` is taken
 */
export async function quantiseModel(
  from: string,
  dir: string,
  quantisation: ModelQuantisation,
  { onProgress = () => {}, calibration, fit }: QuantiseOptions = {},
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
  const model = calibration ? forReading(from) : null;
  const factors = model && calibration ? new InputFactors(model, calibration) : null;
  const made = new Map<string, QuantisedWeight>();
  let fitted = new Map<Tensor, Tensor>();
  const written: TensorToWrite[] = [];
  try {
    let bytes = 0;
    const done = ({ byteLength }: CheckpointTensor): void => {
      bytes += byteLength;
      onProgress(bytes, all);
    };
    const tied = config.tieWordEmbeddings ? [{ ...headOf(config), source: 'model.embed_tokens.weight' }] : [];
    for (const tensor of [...upstreamTensors(config).map((one) => ({ ...one, source: one.name })), ...tied]) {
      const source = stored.tensors.get(tensor.source)!;
      if (isWhole(tensor)) {
        const settings = quantisationFor(tensor.name, quantisation);
        const factor = factors && model ? await factors.of(tensor.stored(model.weights)) : null;
        const whole = (values: Tensor): QuantisedWeight =>
          factor ? quantiseWithFeedback(values, factor, settings) : quantise(values, settings);
        const weight = scope(() => noGrad(() => whole(finite(source))));
        made.set(tensor.name, weight);
        written.push(...partsOf(tensor, weight, quantisation));
      } else {
        const other = () => (model ? fitted.get(tensor.stored(model.weights)) : undefined);
        written.push({
          ...tensor,
          dtype: source.dtype,
          values: () => other()?.to({ dtype: source.dtype }) ?? finite(source),
        });
      }
      if (tensor.source === tensor.name) done(source);
    }
    if (fit && model && calibration && fit.passes > 0) {
      factors?.[Symbol.dispose]();
      const matrices = new Map<Tensor, QuantisedWeight[]>();
      for (const { name, stored } of [
        ...upstreamTensors(config),
        ...(config.tieWordEmbeddings ? [headOf(config)] : []),
      ]) {
        const [target, weight] = [stored(model.weights), made.get(name)];
        if (weight) matrices.set(target, [...(matrices.get(target) ?? []), weight]);
      }
      fitted = await fit.run(model, matrices, { calibration, passes: fit.passes });
    }
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
  } finally {
    factors?.[Symbol.dispose]();
    model?.dispose();
    for (const tensor of fitted.values()) tensor.dispose();
    for (const { codes, scales, zeros } of made.values())
      for (const tensor of [codes, scales, zeros]) tensor?.dispose();
  }
}

/** Where it lies if activations can be float32 beside it, else in float32. */
function forReading(folder: string): LoopLM {
  return isReadableInPlace(folder) ? loadReadOnly(folder) : loadMapped(folder, { dtype: 'float32' });
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
