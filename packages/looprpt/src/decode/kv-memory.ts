/**
 * The memory behind the slots: keys and values of every layer, preallocated, and never moved or grown.
 *
 * Shapes: L layers, Z slots, G key heads, D head size.
 */
import { type DType, empty, type PagedMemory, scope, tensor } from '@looprpt/engine';
import type { LoopLMConfig } from '../model/config.js';
import type { SlotMoves } from './sequence-slots.js';

export class KVMemory implements Disposable {
  readonly slots: number;
  /** By layer, [Z, G, D] each. */
  readonly layers: readonly PagedMemory[];

  constructor(config: LoopLMConfig, { slots, dtype, device }: { slots: number; dtype: DType; device: string }) {
    this.slots = slots;
    const shape = [slots, config.kvHeads, config.headDim];
    const table = () => empty(shape, { dtype, device }).persist();
    this.layers = Array.from({ length: config.layers }, () => ({ keys: table(), values: table() }));
  }

  /** Bytes of one slot of such a model. */
  static bytesPerSlot({ layers, kvHeads, headDim }: LoopLMConfig, elementBytes: number): number {
    return 2 * layers * kvHeads * headDim * elementBytes;
  }

  copy({ from, to }: SlotMoves): void {
    if (from.length === 0) return;
    scope(() => {
      const { device } = this.layers[0]!.keys;
      const source = tensor(from, { dtype: 'int64', device });
      const target = tensor(to, { dtype: 'int64', device });
      for (const { keys, values } of this.layers)
        for (const table of [keys, values]) table.indexCopy_(0, target, table.indexSelect(0, source));
    });
  }

  [Symbol.dispose](): void {
    for (const { keys, values } of this.layers) {
      keys.dispose();
      values.dispose();
    }
  }
}
