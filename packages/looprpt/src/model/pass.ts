/**
 * What stays the same through all loops and layers of a pass: rotary tables and what each place may see.
 *
 * Shapes: B rows, T queries, S keys, P half a head.
 */
import type { DType, Tensor } from '@looprpt/engine';
import { type Visibility, visibilityAt } from './attention.js';
import type { LoopLMConfig } from './config.js';
import { type RopeTables, ropeTables } from './rope.js';

export interface PassShape {
  /** int64 [B or 1, T]: the queries' own places among the keys. */
  placesBT: Tensor;
  /** int64 [B or 1, T]: positions for the rotary embedding. */
  positionsBT: Tensor;
  /** int64 [B, T] or null for 0: the first key that each query sees. */
  firstKeyBT: Tensor | null;
  /** Number of keys. */
  S: number;
}

export class PassContext {
  readonly rope: RopeTables;
  readonly firstKeyBT: Tensor | null;
  readonly placesBT: Tensor;
  readonly #shape: PassShape;
  readonly #config: LoopLMConfig;
  readonly #dtype: DType;
  #visible: readonly Visibility[] | undefined;

  constructor(config: LoopLMConfig, shape: PassShape, dtype: DType) {
    this.rope = ropeTables(config, shape.positionsBT, dtype);
    this.firstKeyBT = shape.firstKeyBT;
    this.placesBT = shape.placesBT;
    this.#shape = shape;
    this.#config = config;
    this.#dtype = dtype;
  }

  /** Per layer, because windows are per layer. Only plain layers need it, so it is made by the first call, in the caller's scope. */
  get visible(): readonly Visibility[] {
    this.#visible ??= this.#makeVisible();
    return this.#visible;
  }

  #makeVisible(): Visibility[] {
    const { placesBT, firstKeyBT, S } = this.#shape;
    const shared = new Map<number | null, Visibility>();
    for (const window of new Set(this.#config.windows)) {
      const plain = firstKeyBT === null && window === null && placesBT.size(0) === 1 && placesBT.size(1) === S;
      shared.set(window, plain ? { biasBTS: null } : visibilityAt(placesBT, S, firstKeyBT, window, this.#dtype));
    }
    return this.#config.windows.map((window) => shared.get(window)!);
  }
}
