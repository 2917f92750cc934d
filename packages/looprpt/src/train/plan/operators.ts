/**
 * What the operators of a pass keep or make, in bytes, by the way in which they are computed (engine's fused.ts):
 *
 *   plain   libtorch's operators one by one; float64
 *   own     the addon's kernels; float32 on the CPU, and the stack in bfloat16 there
 *   lean    libtorch's operators with gradients that keep little; everything else
 *
 * Letters: E hidden, F MLP, L layers, H query heads, G key heads, D head size, V vocabulary, T places of a row.
 */
import type { LoopLMConfig } from '../../model/config.js';
import type { RunConfig } from '../run-config.js';

export type Way = 'plain' | 'own' | 'lean';

type Where = Pick<RunConfig, 'dtype' | 'device'>;

/** Of the layers. */
export function wayOf({ dtype, device }: Where): Way {
  if (dtype === 'float64') return 'plain';
  return device === 'cpu' && dtype !== 'float16' ? 'own' : 'lean';
}

/** Of the LM head. */
function readOutWayOf(where: Where): Way {
  return where.dtype === 'bfloat16' ? 'lean' : wayOf(where);
}

export interface Widths {
  /** Bytes of an element. */
  width: number;
  /** Of one in which losses, softmaxes and moments are computed. */
  wide: number;
  half: boolean;
}

export function widthsOf(dtype: RunConfig['dtype']): Widths {
  const width = { float64: 8, float32: 4, bfloat16: 2, float16: 2 }[dtype];
  return { width, wide: Math.max(4, width), half: width === 2 };
}

/** Bytes for one place. */
export interface StackBytes {
  /** Of a layer, until its backward pass. */
  layer: number;
  /** Of a layer, until the scope of its loop ends: what is kept, and what only the next operator reads. */
  made: number;
  /** The final norm of a loop. */
  norm: number;
}

export function stackBytes(model: LoopLMConfig, T: number, config: RunConfig): StackBytes {
  const way = wayOf(config);
  switch (way) {
    case 'plain':
      return plainStack(model, T, config.dtype);
    case 'own':
      return ownStack(model, config.dtype);
    case 'lean':
      return leanStack(model, config.dtype);
    default:
      return way satisfies never;
  }
}

/** Every operator's result. */
function plainStack(model: LoopLMConfig, T: number, dtype: RunConfig['dtype']): StackBytes {
  const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D } = model;
  const { width } = widthsOf(dtype);
  const projected = (H + 2 * G) * D;
  // Four products of halves, two sums of halves, and the halves joined.
  const rotated = 4 * (H + G) * D;
  // Scaled queries, the mixture of values, the same with heads side by side.
  const mixed = 3 * H * D;
  // Scores, scores with bias, weights.
  const scores = 3 * width * H * T;
  // Square, quotient, product with the weight.
  const norm = 3 * width * E;
  // Behind attention and behind the MLP a projection and a sum each.
  const layer = width * (projected + rotated + mixed + 4 * F + 4 * E) + scores + 4 * norm;
  return { layer, made: layer, norm };
}

/** Four norms and two sums in two operators, SwiGLU in one, attention without scores. */
function ownStack(
  { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D }: LoopLMConfig,
  dtype: RunConfig['dtype'],
): StackBytes {
  const { width } = widthsOf(dtype);
  // Log-sums of attention are float32.
  const layer = width * ((H + 2 * G) * D + H * D + 6 * E + 3 * F) + 4 * H;
  return { layer, made: layer, norm: width * E };
}

/** The joined rows are not kept, the rotated heads are, keys and values once for every query head. */
function leanStack(
  { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D }: LoopLMConfig,
  dtype: RunConfig['dtype'],
): StackBytes {
  const { width } = widthsOf(dtype);
  // Queries, keys, values, what they make; two normed states, two sums and two branches; gate and up, and their product.
  const elements = 4 * H * D + 6 * E + 3 * F;
  // Log-sums of attention, a statistic for each norm.
  const layer = width * elements + 4 * (H + 4);
  const joined = width * (H + 2 * G) * D;
  return { layer, made: layer + joined, norm: width * E + 4 };
}

/** Bytes of all places that the LM head reads, for one loop. */
export interface ReadOutBytes {
  /** Until the backward pass. */
  kept: number;
  /** While the backward pass of the loop's read-out runs. */
  backward: number;
  /** While entropies are computed, without gradient. */
  entropy: number;
}

/** A read-out of our own keeps its probabilities for the backward pass up to this many elements (readout.cc), else makes them again. */
const KEPT_ELEMENTS = 2 ** 27;
/** A lean read-out has so many logits at a time (lean_readout.cc). */
const CHUNK_ELEMENTS = { cpu: 2 ** 22, device: 2 ** 27 } as const;

export function readOutBytes(
  { hiddenSize: E, vocabSize: V }: LoopLMConfig,
  config: RunConfig,
  places: number,
  differentiable: boolean,
): ReadOutBytes {
  const { width, wide } = widthsOf(config.dtype);
  const way = readOutWayOf(config);
  const all = places * V;
  switch (way) {
    case 'plain': {
      // Logits and log-softmax; for entropies its exponential and their product too.
      const logits = places * width * (E + 2 * V);
      return { kept: logits, backward: 2 * width * all, entropy: logits + 2 * width * all };
    }
    case 'own': {
      const keeps = differentiable && all <= KEPT_ELEMENTS;
      return { kept: 4 * places * E + (keeps ? 4 * all : 0), backward: 0, entropy: 4 * places * E };
    }
    case 'lean': {
      const limit = config.device === 'cpu' ? CHUNK_ELEMENTS.cpu : CHUNK_ELEMENTS.device;
      // 64 rows at least.
      const chunk = Math.min(all, Math.max(limit, 64 * V));
      // The head's gradient, added up in float32 where there are several chunks.
      const head = V * E * (all > chunk ? width + wide : width);
      return {
        kept: places * (width * E + 4),
        backward: chunk * (2 * width + wide) + head,
        entropy: places * width * E + chunk * (width + 2 * wide),
      };
    }
    default:
      return way satisfies never;
  }
}
