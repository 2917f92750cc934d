/**
 * What the heads of a layer read: rows of the joined projection in, what the heads mixed out. The loop (stack.ts) is the same
 * whatever that is: a pass over its own places, one that goes on from a cache, queries over a finished pass, pages of a decoder.
 *
 * Shapes: B rows, T places, S keys, C = (H + 2G)·D, H query heads, G key heads, D head size.
 */
import assert from 'node:assert/strict';
import { fusedAttention, fusedQueryAttention, type Tensor } from '@looprpt/engine';
import { attention } from './attention.js';
import type { LoopLMConfig } from './config.js';
import type { Operators } from './operators.js';
import type { PassContext } from './pass.js';
import { rotate, splitHeads } from './rope.js';

export interface Attention {
  /** What it reads of the joined projection: all of it, or the queries alone. */
  reads: 'qkv' | 'q';
  /** Unrotated rows [..., C] or [..., H·D] of a layer → what its heads mixed, [..., H·D]. */
  mix(rows: Tensor, layer: number): Tensor;
  /** Filled by `mix` with what is to outlive the layer. */
  kept?: readonly Tensor[];
  /** Of rows [N, …] the state after the last layer is wanted for the first so many alone: the others leave keys and values there. Default all. */
  wanted?: number;
}

/** Rotated keys and values of a layer at one loop, [B, S, G, D] each. */
export interface KeysValues {
  kBSGD: Tensor;
  vBSGD: Tensor;
}

/** Maps a layer's new keys and values to those that are attended to: a cache appends them to its own. */
export type Remember = (layer: number, fresh: KeysValues) => KeysValues;

/** A pass [B, T] over its own places and, with `remember`, over what came before them. */
export function passAttention(
  config: LoopLMConfig,
  pass: PassContext,
  operators: Operators,
  remember?: Remember,
): Attention {
  const { visible, firstKeyBT } = pass;
  if (visible === null) {
    assert(!remember, 'a pass over a cache needs the table of what it sees');
    return {
      reads: 'qkv',
      mix: (rows, layer) => fusedAttention(rows, angles(pass), firstKeyBT, headsOf(config, layer)),
    };
  }
  return {
    reads: 'qkv',
    mix(rowsBTC, layer) {
      const [qBTHD, k, v] = operators.splitRotate(rowsBTC, pass.rope, config.heads, config.kvHeads);
      const fresh = { kBSGD: k, vBSGD: v };
      const { kBSGD, vBSGD } = remember ? remember(layer, fresh) : fresh;
      return attention(qBTHD, kBSGD, vBSGD, visible[layer]!);
    },
  };
}

/**
 * Queries [B, T] over the keys and values of a finished pass, which are constants: hard-token rollouts.
 * @param qkvByLayer that pass's joined rows [B, S, C] @param clean that pass @param queries the queries' own pass
 */
export function queryAttention(
  config: LoopLMConfig,
  qkvByLayer: readonly Tensor[],
  clean: PassContext,
  queries: PassContext,
): Attention {
  const { heads: H, kvHeads: G } = config;
  const { visible, placesBT: last, firstKeyBT: first } = queries;
  const mix = (qBTC: Tensor, layer: number): Tensor => {
    const qkvBSC = qkvByLayer[layer]!;
    if (visible === null)
      return fusedQueryAttention(qBTC, qkvBSC, angles(queries), angles(clean), { last, first }, headsOf(config, layer));
    const joinedBSND = splitHeads(qkvBSC, H + 2 * G);
    const [kBSGD, vBSGD] = [joinedBSND.slice(2, H, H + G), joinedBSND.slice(2, H + G, H + 2 * G)];
    const qBTHD = rotate(splitHeads(qBTC, H), queries.rope);
    return attention(qBTHD, rotate(kBSGD, clean.rope), vBSGD, visible[layer]!);
  };
  return { reads: 'q', mix };
}

function angles({ rope }: PassContext): { cos: Tensor; sin: Tensor } {
  return { cos: rope.cosBTP, sin: rope.sinBTP };
}

function headsOf({ heads, kvHeads, windows }: LoopLMConfig, layer: number) {
  return { heads, kvHeads, window: windows[layer]! };
}
