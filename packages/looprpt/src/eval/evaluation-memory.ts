/**
 * The memory that an evaluation on text takes beside the weights, in bytes, before there is one: a bound, held against runs by a test.
 *
 * Letters: P places of a batch, N counted tokens of all data, K loops, E hidden, F MLP, H query heads, G key heads, D head size,
 * V vocabulary.
 */
import { elementBytes } from '@looprpt/engine';
import type { HeldWeights } from '../decode/decoder-memory.js';
import { MAX_LOGITS } from '../model/read-out.js';
import { heldWeights, type PlannedModel } from '../train/state/planned-model.js';
import { assertRoom, sumOf } from '../train/state/room.js';

export interface EvaluationShape {
  /** Rows and tokens of a batch. */
  rows: number;
  sequenceLength: number;
  /** Of the data, all together. */
  tokens: number;
}

export interface EvaluationMemory {
  /** States after each loop, and what one layer makes on the way. */
  pass: number;
  /** Logits of the places that are read out together, and what is computed from them. */
  logits: number;
  /** The data's tokens, and what was found out about each. */
  tables: number;
}

/** Logits, their log-probabilities, and these once more for the entropy; float32. */
const LOGITS = 4;
/** Of each token and loop: seven numbers of four bytes and one of one; kept by batch, joined, and parted by difficulty. */
const COLUMNS = 3 * 29;
/** Of each token: id, mark, sequence, document and context. */
const TOKEN = 3 * 17;

export function planEvaluation(held: HeldWeights, shape: EvaluationShape, maxLogits = MAX_LOGITS): EvaluationMemory {
  const { hiddenSize: E, intermediateSize: F, heads: H, kvHeads: G, headDim: D, vocabSize: V, loops: K } = held.config;
  const width = elementBytes(held.dtype);
  const { rows, sequenceLength: S, tokens } = shape;
  const P = rows * S;
  // All states, those of the counted places beside them; the stream with its norms, the projection, its mixture, gate and up.
  const layer = 6 * E + 2 * (H + 2 * G) * D + 2 * H * D + 3 * F;
  const seen = hasOwnScores(held) ? 0 : rows * H * S * S * 3;
  return {
    pass: width * (P * (2 * (K + 1) * E + layer) + seen),
    logits: 4 * LOGITS * Math.max(V, Math.min(maxLogits, P * V)),
    tables: tokens * (K * COLUMNS + TOKEN),
  };
}

/** @returns bytes beside weights and program @throws UserError where the evaluation cannot fit into the memory that is free */
export function assertEvaluationFits(planned: PlannedModel, shape: EvaluationShape): number {
  const { rows, sequenceLength } = shape;
  const parts = { ...planEvaluation(heldWeights(planned), shape) };
  const less = `fewer rows than ${rows}, or rows of fewer tokens than ${sequenceLength}`;
  assertRoom(planned, { parts, less: [less] });
  return sumOf(parts);
}

/** Attention that never holds its scores. */
function hasOwnScores({ device, dtype }: HeldWeights): boolean {
  return device === 'cpu' && (dtype === 'float32' || dtype === 'bfloat16');
}
