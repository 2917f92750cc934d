/**
 * Keys and values of past tokens, one slot per (loop, layer), preallocated. Loops never share keys: loop k attends only to
 * what earlier tokens had at loop k.
 *
 * All loops and layers hold the same number of tokens between passes; a pass appends T tokens to every slot it visits and
 * then calls `advance(T)`.
 */
import assert from 'node:assert/strict';
import { type DType, empty, type Tensor } from '@looprpt/engine';
import type { KeysValues } from './attend.js';
import type { LoopLMConfig } from './config.js';

export class KVCache implements Disposable {
  readonly capacity: number;
  readonly batch: number;
  #length = 0;
  readonly #slots: KeysValues[];
  readonly #layers: number;

  constructor(
    config: LoopLMConfig,
    options: { batch: number; capacity: number; dtype: DType; device: string; loops?: number },
  ) {
    const { batch, capacity, dtype, device } = options;
    this.capacity = capacity;
    this.batch = batch;
    this.#layers = config.layers;
    const make = (): Tensor => empty([batch, capacity, config.kvHeads, config.headDim], { dtype, device }).persist();
    this.#slots = Array.from({ length: (options.loops ?? config.loops) * config.layers }, () => ({
      kBSGD: make(),
      vBSGD: make(),
    }));
  }

  /** Tokens held. */
  get length(): number {
    return this.#length;
  }

  /** Appends T tokens' keys and values to a slot and returns all that the slot now holds (views). */
  append(loop: number, layer: number, fresh: KeysValues): KeysValues {
    const T = fresh.kBSGD.size(1);
    assert(
      this.#length + T <= this.capacity,
      `the cache holds ${this.capacity} tokens, ${this.#length + T} are needed`,
    );
    const slot = this.#slots[loop * this.#layers + layer];
    assert(slot, 'the cache was made for fewer loops');
    const end = this.#length + T;
    slot.kBSGD.slice(1, this.#length, end).copy_(fresh.kBSGD);
    slot.vBSGD.slice(1, this.#length, end).copy_(fresh.vBSGD);
    return { kBSGD: slot.kBSGD.slice(1, 0, end), vBSGD: slot.vBSGD.slice(1, 0, end) };
  }

  /** The pass over T tokens is complete in every slot. */
  advance(tokens: number): void {
    this.#length += tokens;
  }

  [Symbol.dispose](): void {
    for (const { kBSGD, vBSGD } of this.#slots) {
      kBSGD.dispose();
      vBSGD.dispose();
    }
  }
}
