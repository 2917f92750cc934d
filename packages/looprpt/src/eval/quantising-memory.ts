/**
 * The memory that rounding by text takes beside the codes, in bytes, before it begins: a bound from the architecture.
 *
 * Letters: P places of a batch, K loops, E hidden, F MLP, H query heads, G key heads, D head size, V vocabulary.
 */
import { isReadableInPlace } from '../checkpoint/load-read-only.js';
import { type ModelQuantisation, quantisedParts } from '../checkpoint/quantisation.js';
import { BLOCK_NUMBERS } from '../checkpoint/quantise/error-feedback.js';
import { MOMENT_BYTES } from '../checkpoint/quantise/input-moments.js';
import { planWeights } from '../checkpoint/weights-plan.js';
import { type LoopLMConfig, parameterCount } from '../model/config.js';
import { upstreamTensors } from '../model/weights.js';
import { assertRoom } from '../train/state/room.js';
import { CALIBRATION_BATCH } from './calibration-text.js';
import { planEvaluation } from './evaluation-memory.js';

export interface QuantisingMemory {
  /** Second moments of inputs, and the factor of the largest matrix while it is found. */
  moments: number;
  /** A block of rows while they are rounded. */
  rounding: number;
  /** Whole numbers and scales of all matrices. */
  codes: number;
  /** Of the model in floating point on a batch. */
  pass: number;
  /** Matrices in float32 with gradients, their whole numbers, and what a loop keeps; nothing where nothing is fitted. */
  fitting: number;
}

/** Factor: the moments damped, two Cholesky factors and an inverse. */
const FACTOR = 4;
/** Weights left, what stands for them, errors, and what is on the way. */
const ROUNDING = 4;

export function planQuantising(
  config: LoopLMConfig,
  quantisation: ModelQuantisation,
  isFitted: boolean,
): QuantisingMemory {
  const {
    hiddenSize: E,
    intermediateSize: F,
    heads: H,
    kvHeads: G,
    headDim: D,
    loops: K,
    layers,
    vocabSize: V,
  } = config;
  const squares = [...Array.from({ length: layers }, () => [E, H * D, E, F]).flat(), E].map((I) => 8 * I ** 2);
  const largest = Math.max(...squares);
  const all = squares.reduce((sum, bytes) => sum + bytes, 0);
  const matrices = upstreamTensors(config).filter(
    ({ shape, name }) => shape.length === 2 && !name.includes('embed_tokens'),
  );
  const rows = Math.max(...matrices.map(({ shape: [O, I] }) => O! * I!));
  const P = CALIBRATION_BATCH.rows * CALIBRATION_BATCH.sequenceLength;
  const { pass, logits } = planEvaluation(
    { config, device: 'cpu', dtype: 'float32', isStored: false },
    { ...CALIBRATION_BATCH, tokens: 0 },
  );
  const ofLoop = 4 * P * layers * (2 * (H + 2 * G) * D + 2 * H * D + 8 * E + 4 * F);
  return {
    moments: Math.min(all, Math.max(MOMENT_BYTES, largest)) + FACTOR * largest,
    rounding: 8 * ROUNDING * Math.min(BLOCK_NUMBERS, rows),
    codes: matrices.reduce((sum, { name, shape }) => sum + codeBytes(name, shape as [number, number], quantisation), 0),
    pass: pass + 8 * P * Math.max(E, F),
    fitting: isFitted ? (4 + 4 + 2) * parameterCount(config) + ofLoop + 2 * K * 4 * P * E + logits + 4 * V : 0,
  };
}

/** @throws UserError where it cannot fit into the memory that is free */
export function assertQuantisingFits(
  { name, folder }: { name: string; folder: string },
  quantisation: ModelQuantisation,
  isFitted: boolean,
  free?: number,
): void {
  const weights = planWeights(
    folder,
    isReadableInPlace(folder) ? { way: 'read-only' } : { way: 'mapped', dtype: 'float32' },
  );
  const parts = { ...planQuantising(weights.config, quantisation, isFitted) };
  const less = [isFitted ? 'without --fit-passes' : 'without --calibrate'];
  assertRoom({ name, device: 'cpu', weights: { ...weights, format: 'int4' } }, { parts, less }, free);
}

function codeBytes(name: string, shape: readonly [number, number], quantisation: ModelQuantisation): number {
  const { codes, scales, zeros } = quantisedParts(name, shape, quantisation);
  const sizeOf = ([rows, columns]: readonly number[]): number => rows! * columns!;
  return sizeOf(codes.shape) + 2 * sizeOf(scales.shape) + (zeros ? sizeOf(zeros.shape) : 0);
}
