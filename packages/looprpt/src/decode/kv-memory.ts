/**
 * The memory behind the slots: keys and values of every layer, preallocated, and never moved or grown.
 *
 * Where attention over pages is an operator of the engine it says how they lie; elsewhere a slot is a row.
 *
 * Shapes: L layers, Z slots, G key heads, D head size.
 */
import { copySlots, type DType, empty, type PagedMemory, pagedMemory, scope, tensor } from '@looprpt/engine';
import type { LoopLMConfig } from '../model/config.js';
import type { SlotMoves } from './sequence-slots.js';

export interface KVMemoryOptions {
  slots: number;
  dtype: DType;
  device: string;
  /** For the engine's attention over pages. */
  paged: boolean;
}

export class KVMemory implements Disposable {
  readonly slots: number;
  readonly paged: boolean;
  /** By layer; where they are not paged [Z, G, D] each. */
  readonly layers: readonly PagedMemory[];

  constructor({ layers, kvHeads, headDim }: LoopLMConfig, { slots, dtype, device, paged }: KVMemoryOptions) {
    this.slots = slots;
    this.paged = paged;
    const table = () => empty([slots, kvHeads, headDim], { dtype, device });
    this.layers = Array.from({ length: layers }, () => {
      const of = paged ? pagedMemory({ slots, kvHeads, headDim }, dtype) : { keys: table(), values: table() };
      return { keys: of.keys.persist(), values: of.values.persist() };
    });
  }

  /** Bytes of one slot of such a model. */
  static bytesPerSlot({ layers, kvHeads, headDim }: LoopLMConfig, elementBytes: number): number {
    return 2 * layers * kvHeads * headDim * elementBytes;
  }

  copy({ from, to }: SlotMoves): void {
    if (from.length === 0) return;
    scope(() => {
      if (this.paged) for (const layer of this.layers) copySlots(layer, from, to);
      else this.#copyRows(from, to);
    });
  }

  #copyRows(from: readonly number[], to: readonly number[]): void {
    const { device } = this.layers[0]!.keys;
    const source = tensor([...from], { dtype: 'int64', device });
    const target = tensor([...to], { dtype: 'int64', device });
    for (const { keys, values } of this.layers)
      for (const table of [keys, values]) table.indexCopy_(0, target, table.indexSelect(0, source));
  }

  [Symbol.dispose](): void {
    for (const { keys, values } of this.layers) {
      keys.dispose();
      values.dispose();
    }
  }
}
