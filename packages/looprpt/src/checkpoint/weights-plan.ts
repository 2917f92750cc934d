/**
 * What a model's weights will take, from the headers of its files alone: which bytes stay in the mapped file and which are in memory
 * of their own. Says of each way of loading what that way does; nothing is read.
 */
import type { DType } from '@looprpt/engine';
import { elementBytes } from '@looprpt/engine';
import type { WeightFormat } from '../base/dtypes.js';
import { type LoopLMConfig, parameterCount } from '../model/config.js';
import { upstreamTensors } from '../model/weights.js';
import { isMapped, withParts } from './load-mapped.js';
import { openFloating, readModelConfig } from './load-model.js';
import { headOf } from './load-read-only.js';
import {
  type ModelQuantisation,
  quantisationName,
  quantisationOf,
  quantisedParts,
  storedQuantisation,
} from './quantisation.js';
import { type CheckpointTensor, StoredModel } from './stored-model.js';

/**
 * How weights are held: in memory of their own (load-model.ts), as far as possible where they lie (load-mapped.ts), or with matrices
 * in a format of their own beside float32 (load-read-only.ts; default: as stored).
 */
export type WeightsWay =
  | { way: 'copied' | 'mapped'; dtype: DType }
  | { way: 'read-only'; format?: WeightFormat | undefined };

export interface WeightsPlan {
  config: LoopLMConfig;
  /** A dtype, or `int4 in groups of 32`. */
  format: string;
  /** Bytes by dtype, as they will be held. */
  byDType: Partial<Record<DType, number>>;
  /** Bytes that stay in the files: in the page cache, once for all processes, and read again where it was wanted for other things. */
  mapped: number;
  /** Bytes of memory of their own. */
  own: number;
}

/** @throws UserError where the folder is no model, or none that can be held so */
export function planWeights(dir: string, way: WeightsWay): WeightsPlan {
  if (way.way === 'read-only') return planReadOnly(dir, way.format);
  const { config, stored } = openFloating(dir);
  using _ = stored;
  const { dtype } = way;
  const bytes = elementBytes(dtype) * parameterCount(config);
  const mapped = way.way === 'mapped' ? mappedBytes(config, stored, dtype) : 0;
  return { config, format: dtype, byDType: { [dtype]: bytes }, mapped, own: bytes - mapped };
}

function mappedBytes(config: LoopLMConfig, stored: StoredModel, dtype: DType): number {
  return withParts(config, dtype, stored, (_, parts) =>
    [...parts.values()]
      .filter((of) => isMapped(of, dtype))
      .flat()
      .reduce((sum, { byteLength }) => sum + byteLength, 0),
  );
}

function planReadOnly(dir: string, format: WeightFormat | undefined): WeightsPlan {
  const config = readModelConfig(dir);
  const ofFolder = storedQuantisation(dir);
  const wanted = format === 'int8' || format === 'int4' ? quantisationOf(format) : null;
  const plan: WeightsPlan = { config, format: '', byDType: {}, mapped: 0, own: 0 };
  const add = (dtype: DType, bytes: number, where: 'mapped' | 'own'): void => {
    plan.byDType[dtype] = (plan.byDType[dtype] ?? 0) + bytes;
    plan[where] += bytes;
  };
  using stored = ofFolder ? new StoredModel(dir) : openFloating(dir).stored;
  const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
  const isWide = (shape: readonly number[], name: string): boolean =>
    shape.length === 1 || name === 'model.early_exit_gate.weight';
  if (ofFolder) {
    for (const { dtype, byteLength, shape, name } of stored.tensors.values())
      if (isWide(shape, name)) add('float32', 4 * sizeOf(shape), 'own');
      else add(dtype, byteLength, 'mapped');
    return { ...plan, format: quantisationName(ofFolder) };
  }
  // A tied head is the embedding's own bytes only where both are bfloat16.
  const isOne = !wanted && isBfloat(stored.tensors.get('model.embed_tokens.weight'));
  const tied = config.tieWordEmbeddings && !isOne ? [headOf(config)] : [];
  for (const { name, shape } of [...upstreamTensors(config), ...tied]) {
    const from = stored.tensors.get(name);
    if (isWide(shape, name)) add('float32', 4 * sizeOf(shape), 'own');
    else if (name === 'model.embed_tokens.weight') add(from!.dtype, from!.byteLength, wanted ? 'own' : 'mapped');
    else if (wanted) for (const [dtype, bytes] of wholeParts(name, shape, wanted)) add(dtype, bytes, 'own');
    else add('bfloat16', 2 * sizeOf(shape), isBfloat(from) ? 'mapped' : 'own');
  }
  return { ...plan, format: wanted ? quantisationName(wanted) : 'bfloat16' };
}

const isBfloat = (from: CheckpointTensor | undefined): boolean => from?.dtype === 'bfloat16';

function wholeParts(name: string, shape: readonly number[], wanted: ModelQuantisation): [DType, number][] {
  const { codes, scales, zeros } = quantisedParts(name, shape as [number, number], wanted);
  return [codes, scales, ...(zeros ? [zeros] : [])].map(({ shape: [rows, columns], dtype }) => [
    dtype,
    rows! * columns! * elementBytes(dtype),
  ]);
}
