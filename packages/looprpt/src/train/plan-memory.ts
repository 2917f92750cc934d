/**
 * The memory that a run will need, in bytes.
 *
 * What stays is exact: weights, gradients, optimizer, teacher. What a micro-batch needs on top is an estimate from the
 * tensors that its operators make, all of which are kept until its backward pass has ended. Plain and fused operators
 * (float32 on the CPU) differ in what they make. Node and libtorch themselves take a few hundred MB more.
 *
 * Letters: N places, n counted places, m hard places, E hidden, F MLP, L layers, K loops, H query heads, G key heads,
 * D head size, V vocabulary, T places of a row.
 */
import type { LoopLMConfig } from '../model/config.js';
import { needsTeacher } from '../objectives/objective.js';
import type { Work } from './plan.js';
import type { RunConfig } from './run-config.js';

export interface MemoryPlan {
  weights: number;
  gradients: number;
  /** float32 copies of half-precision weights. */
  masters: number;
  /** Both moments of AdamW. */
  moments: number;
  /** The EMA's weights, and its float32 averages of half-precision ones. */
  teacher: number;
  /** The student's pass over a micro-batch, and one layer of its backward pass. */
  activations: number;
  /** Logits and log-probabilities of the places that the loss reads, and their gradients. */
  logits: number;
  /** The teacher's pass, with the entropies that choose hard tokens. */
  teacherPass: number;
  rollouts: number;
  total: number;
}

export function planMemory(
  work: Work,
  config: RunConfig,
  model: LoopLMConfig,
  parameters: { total: number; trained: number },
): MemoryPlan {
  const parts = { ...staying(config, parameters), ...passing(work, config, model) };
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
}

type Staying = Pick<MemoryPlan, 'weights' | 'gradients' | 'masters' | 'moments' | 'teacher'>;

function staying({ dtype, objective }: RunConfig, { total, trained }: { total: number; trained: number }): Staying {
  const { width, wide, half } = widthsOf(dtype);
  return {
    weights: width * total,
    gradients: width * trained,
    masters: half ? 4 * trained : 0,
    moments: 2 * wide * trained,
    teacher: needsTeacher(objective) ? (width + (half ? 4 : 0)) * total : 0,
  };
}

type Passing = Pick<MemoryPlan, 'activations' | 'logits' | 'teacherPass' | 'rollouts'>;

function passing({ places, counted, hard, rollouts }: Work, config: RunConfig, model: LoopLMConfig): Passing {
  const { batch, objective } = config;
  const { loops: K, layers: L, hiddenSize: E } = model;
  const { width } = widthsOf(config.dtype);
  const { layer, norm } = isFused(config) ? fusedStack(model) : plainStack(model, batch.sequenceLength, config.dtype);
  const loop = L * layer + norm;
  const pass = K * places * loop;
  const { kept, backward, entropy } = readOut(model, config);
  const gateOnly = objective.kind === 'gate';
  const read = gateOnly ? counted : hard;
  const teacherReads = objective.kind === 'looprpt' ? K * hard * kept(hard, false) : 0;
  return {
    activations: pass + (gateOnly ? 0 : places * layer),
    logits: K * read * kept(read, !gateOnly) + (gateOnly ? 0 : read * backward),
    teacherPass: needsTeacher(objective) ? pass + counted * entropy + teacherReads : 0,
    // After every loop the noise, and the state with it.
    rollouts: rollouts ? rollouts.passes * rollouts.places * ((K - 1) * loop + K * 2 * width * E) : 0,
  };
}

/** Bytes for one place. */
interface StackBytes {
  layer: number;
  /** The final norm of a loop. */
  norm: number;
}

/** Every operator's result. */
function plainStack(model: LoopLMConfig, T: number, dtype: RunConfig['dtype']): StackBytes {
  const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D } = model;
  const { width, half } = widthsOf(dtype);
  const projected = (H + 2 * G) * D;
  // Four products of halves, two sums of halves, and the halves joined.
  const rotated = 4 * (H + G) * D;
  // Scaled queries, the mixture of values, the same with heads side by side.
  const mixed = 3 * H * D;
  // Scores, scores with bias, weights; half precision takes the softmax in float32.
  const scores = H * T * (half ? 3 * width + 8 : 3 * width);
  // Square, quotient, product with the weight; half precision takes the first two in float32, after a copy.
  const norm = half ? 12 * E + 2 * width * E : 3 * width * E;
  // Behind attention and behind the MLP a projection and a sum each.
  return { layer: width * (projected + rotated + mixed + 4 * F + 4 * E) + scores + 4 * norm, norm };
}

/** Four norms and two sums in two operators, SwiGLU in one, attention without scores; float32. */
function fusedStack({
  hiddenSize: E,
  intermediateSize: F,
  heads: H,
  kvHeads: G,
  headDim: D,
}: LoopLMConfig): StackBytes {
  return { layer: 4 * ((H + 2 * G) * D + H * D + H + 6 * E + 3 * F), norm: 4 * E };
}

/** A read-out keeps its probabilities for the backward pass up to this many elements (readout.cc), else makes them again. */
const KEPT_ELEMENTS = 2 ** 24;

/** Bytes for one place that the LM head reads. */
interface ReadOutBytes {
  /** For every loop, of so many places together. */
  kept: (places: number, differentiable: boolean) => number;
  /** In the backward pass, for one loop at a time. */
  backward: number;
  /** For H_t, without gradient. */
  entropy: number;
}

function readOut({ hiddenSize: E, vocabSize: V }: LoopLMConfig, config: RunConfig): ReadOutBytes {
  const { width, wide, half } = widthsOf(config.dtype);
  if (isFused(config)) {
    const keeps = (places: number, differentiable: boolean): boolean => differentiable && places * V <= KEPT_ELEMENTS;
    return {
      kept: (places, differentiable) => 4 * E + (keeps(places, differentiable) ? 4 * V : 0),
      backward: 0,
      entropy: 4 * E,
    };
  }
  // Logits, their float32 copy, log-softmax; for entropies its exponential and their product too.
  const logits = width * (E + V) + (half ? 4 * V : 0) + wide * V;
  return { kept: () => logits, backward: 2 * wide * V, entropy: logits + 2 * wide * V };
}

function isFused({ dtype, device }: RunConfig): boolean {
  return dtype === 'float32' && device === 'cpu';
}

function widthsOf(dtype: RunConfig['dtype']): { width: number; wide: number; half: boolean } {
  const width = { float64: 8, float32: 4, bfloat16: 2, float16: 2 }[dtype];
  return { width, wide: Math.max(4, width), half: width === 2 };
}
