/**
 * What stays the same through all loops and layers of a pass: rotary tables and what each place may see. Whoever makes it owns its
 * tensors; a backward pass that runs loops again reads them again.
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

export interface PassContext {
  readonly rope: RopeTables;
  readonly firstKeyBT: Tensor | null;
  readonly placesBT: Tensor;
  /** By layer, because windows are; null where attention is a kernel of our own, which needs no table. */
  readonly visible: readonly Visibility[] | null;
}

/** @param ownAttention whether the pass is for our own kernel */
export function passContext(
  config: LoopLMConfig,
  shape: PassShape,
  { dtype, ownAttention }: { dtype: DType; ownAttention: boolean },
): PassContext {
  const { placesBT, firstKeyBT } = shape;
  // Our own kernel computes with floats, whatever the rows are.
  const rope = ropeTables(config, shape.positionsBT, ownAttention ? 'float32' : dtype);
  return { rope, firstKeyBT, placesBT, visible: ownAttention ? null : visibleByLayer(config, shape, dtype) };
}

function visibleByLayer({ windows }: LoopLMConfig, shape: PassShape, dtype: DType): Visibility[] {
  const { placesBT, firstKeyBT, S } = shape;
  const shared = new Map<number | null, Visibility>();
  for (const window of new Set(windows)) {
    const plain = firstKeyBT === null && window === null && placesBT.size(0) === 1 && placesBT.size(1) === S;
    shared.set(window, plain ? { biasBTS: null } : visibilityAt(placesBT, S, firstKeyBT, window, dtype));
  }
  return windows.map((window) => shared.get(window)!);
}
