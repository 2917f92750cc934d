/**
 * The tensors of a trainer's state as a checkpoint knows them: whole, by name, however they are spread over ranks.
 *
 * Where every rank has all of them, these are the trainer's own tensors. Where each has a part, reading gathers them one by
 * one and only rank 0 keeps them; all ranks take part.
 */
import { type DType, empty, noGrad, type ProcessGroup, scope, type Tensor } from '@looprpt/engine';
import { gatherShards, shardView } from './distributed/shards.js';

/** By name; to be disposed of after use. */
export class WholeTensors extends Map<string, Tensor> implements Disposable {
  readonly #copies: Tensor[] = [];

  /** Takes over a copy made for the reader. */
  adopt(name: string, copy: Tensor): void {
    this.#copies.push(copy);
    this.set(name, copy);
  }

  [Symbol.dispose](): void {
    for (const copy of this.#copies.splice(0)) copy.dispose();
    this.clear();
  }
}

/** One tensor to be filled from a checkpoint. */
export interface StoredTensor {
  name: string;
  shape: readonly number[];
  dtype: DType;
  /** @param whole of that shape and dtype, any device */
  fill: (whole: Tensor) => void;
}

/** A tensor of the state, or this rank's elements of it. */
export interface StatePart {
  name: string;
  part: Tensor;
  /** Of the whole. */
  shape: readonly number[];
  /** The group over which the parts are spread; null where the part is the whole. */
  shards: ProcessGroup | null;
}

export function wholeTensors(parts: readonly StatePart[]): WholeTensors {
  const whole = new WholeTensors();
  for (const { name, part, shape, shards } of parts) {
    if (shards === null) {
      whole.set(name, part);
      continue;
    }
    const kept = scope(() => {
      const gathered = empty(shape, { dtype: part.dtype, device: part.device });
      gatherShards(shards, [{ shard: part, whole: gathered }]);
      return shards.rank === 0 ? gathered.to({ device: 'cpu' }).persist() : null;
    });
    if (kept !== null) whole.adopt(name, kept);
  }
  return whole;
}

export function storedTensors(parts: readonly StatePart[]): StoredTensor[] {
  return parts.map(({ name, part, shape, shards }) => ({
    name,
    shape,
    dtype: part.dtype,
    fill: (whole) =>
      scope(() => noGrad(() => void part.copy_(shards === null ? whole : shardView(whole.contiguous(), shards)))),
  }));
}
