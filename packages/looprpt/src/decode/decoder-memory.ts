/**
 * The memory that a decoder will take beside a model's weights, in bytes, before there is one. What stays is exact; what a pass takes
 * on top is a bound, from the widest pass that the scheduler can plan.
 *
 * Not here: the weights (checkpoint/weights-plan.ts), and how much of it fits (serve/sizing.ts).
 *
 * Letters: L layers, K loops, E hidden, F MLP, H query heads, G key heads, D head size, V vocabulary, R rows of a pass.
 */
import { type DType, elementBytes } from '@looprpt/engine';
import type { LoopLMConfig } from '../model/config.js';
import type { DecoderConfig } from './core.js';
import { KVMemory } from './kv-memory.js';

/** What a decoder needs to know of weights that are not loaded yet. */
export interface HeldWeights {
  config: LoopLMConfig;
  device: string;
  /** Of activations. */
  dtype: DType;
  /** Matrices have a format of their own beside float32. */
  isStored: boolean;
}

export interface DecoderMemory {
  /** Keys and values of one token at one loop, */
  slot: number;
  /** and of one that is kept with all that the policy keeps of it. */
  token: number;
  /** The weights once more, in the order in which products read them row by row; 0 where nothing is copied. */
  copy: number;
  /** Most that a pass takes, and tables of positions. */
  pass: number;
}

interface Sizes extends Pick<DecoderConfig, 'maxSequences' | 'maxLength' | 'prefillRows' | 'reproducible' | 'cache'> {
  /** Requests may ask for log-probabilities of their prompts. */
  scoresPrompts?: boolean;
}

export function planDecoder(held: HeldWeights, sizes: Sizes): DecoderMemory {
  const { config } = held;
  const slot = KVMemory.bytesPerSlot(config, elementBytes(held.isStored ? 'bfloat16' : held.dtype));
  const token = sizes.cache.decode === 'last' ? slot : config.loops * slot;
  return { slot, token, copy: copyBytes(held, sizes), pass: passBytes(held, sizes) };
}

/** Rows are padded to what a vector register takes. */
const PANEL = 32;

function copyBytes({ config, device, dtype, isStored }: HeldWeights, { reproducible }: Sizes): number {
  if (!reproducible || isStored || dtype !== 'float32' || device !== 'cpu') return 0;
  const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D, vocabSize: V, layers: L } = config;
  const matrix = (rows: number, inputs: number): number => 4 * PANEL * Math.ceil(rows / PANEL) * inputs;
  const layer = matrix((H + 2 * G) * D, E) + matrix(E, H * D) + matrix(2 * F, E) + matrix(E, F);
  return L * layer + matrix(V, E) + matrix(1, E);
}

/** Copies of a row's logits that choosing its token makes at most: scaled, as probabilities, and both as they reach JavaScript. */
const CHOSEN = 6;
/** And those of scoring one that is known, with the likeliest beside it. */
const SCORED = 3;

function passBytes({ config, dtype }: HeldWeights, sizes: Sizes): number {
  const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D, vocabSize: V, loops: K } = config;
  const { maxSequences, maxLength, prefillRows, scoresPrompts = false } = sizes;
  const width = Math.max(4, elementBytes(dtype));
  // One row a sequence at each loop where drafts run ahead; prompts and loops that are owed beside them.
  const R = maxSequences * K + 2 * prefillRows;
  const row = 12 * E + (H + 2 * G) * D + 2 * H * D + 3 * F;
  const logits = CHOSEN * maxSequences * K + (scoresPrompts ? SCORED * prefillRows : 0);
  return width * (R * row + logits * V + maxLength * D);
}
