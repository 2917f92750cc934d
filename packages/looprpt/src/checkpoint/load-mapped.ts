/**
 * Loads floating-point weights for reading alone, on the CPU: what stands in the file as the model holds it stays there, mapped. That
 * is every tensor of the model's dtype, and rows that the model joins (q, k and v; gate and up) where the file has them one behind the
 * other, as ours do. The rest is copied.
 *
 * Not here: weights in another format than activations (load-read-only.ts). A mapped file must not be written to while the model lives.
 */
import { type DType, empty, noGrad, scope, type Tensor } from '@looprpt/engine';
import type { LoopLMConfig } from '../model/config.js';
import { LoopLM } from '../model/loop-lm.js';
import { emptyWeights, mapWeights, namedParameters, upstreamTensors, type Weights } from '../model/weights.js';
import { checkFinite, commonDType, fillRows, type LoadOptions, loaded, openFloating } from './load-model.js';
import { type CheckpointTensor, follow, type StoredModel } from './stored-model.js';

/** @throws UserError as `loadModel` */
export function loadMapped(dir: string, options: Omit<LoadOptions, 'device'> = {}): LoopLM {
  const { config, stored } = openFloating(dir);
  using _ = stored;
  const dtype = options.dtype ?? commonDType(stored.tensors.values());
  const done = loaded(stored, options.onLoad);
  const owned: Tensor[] = [];
  const read = (name: Tensor, parts: readonly CheckpointTensor[]): Tensor => {
    const tensor = scope(() => (isMapped(parts, dtype) ? mapped(stored, parts) : copied(parts, name)).persist());
    owned.push(tensor);
    parts.forEach(done);
    return tensor;
  };
  try {
    const weights = noGrad(() =>
      withParts(config, dtype, stored, (names, parts) => mapWeights(names, (name) => read(name, parts.get(name)!))),
    );
    return new LoopLM(config, weights);
  } catch (error) {
    for (const tensor of owned) tensor.dispose();
    throw error;
  }
}

/** Whether a tensor of the model stays in the file that has these parts of it. */
export function isMapped(parts: readonly CheckpointTensor[], dtype: DType): boolean {
  return parts[0]!.dtype === dtype && follow(parts);
}

/** Calls `use` with tensors without memory that stand for the model's, and of each the file's, in the order of their rows. */
export function withParts<T>(
  config: LoopLMConfig,
  dtype: DType,
  { tensors }: StoredModel,
  use: (names: Weights, parts: ReadonlyMap<Tensor, CheckpointTensor[]>) => T,
): T {
  const names = emptyWeights(config, { dtype, device: 'meta' });
  try {
    const parts = new Map<Tensor, CheckpointTensor[]>();
    for (const { name, stored } of upstreamTensors(config)) {
      const tensor = stored(names);
      parts.set(tensor, [...(parts.get(tensor) ?? []), tensors.get(name)!]);
    }
    return use(names, parts);
  } finally {
    for (const { tensor } of namedParameters(names)) tensor.dispose();
  }
}

function mapped(stored: StoredModel, parts: readonly CheckpointTensor[]): Tensor {
  // Part by part, so that a number that is not finite has its own place's name.
  for (const part of parts) scope(() => checkFinite(part.load(), part, 'is NaN or infinite'));
  return stored.joined(parts);
}

function copied(parts: readonly CheckpointTensor[], { shape, dtype }: Tensor): Tensor {
  const own = empty(shape, { dtype });
  let row = 0;
  for (const part of parts) {
    const rows = part.shape[0]!;
    scope(() => fillRows(own.slice(0, row, row + rows), part));
    row += rows;
  }
  return own;
}
