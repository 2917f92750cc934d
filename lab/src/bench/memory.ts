/**
 * Roughly how much memory a worker will take, to leave out what would not fit beside the others.
 *
 * Ours is what the training plan says. The peer's is counted from what its autograd functions keep for a place in a layer
 * (about 14 E + 3 F + 2 H·T floats, a third more with what passes by) and from its logits; it was held against measured peaks.
 */
import { parameterCount } from 'looprpt/internal/model/config.js';
import { planRun } from 'looprpt/internal/train/plan/plan.js';
import { type BatchShape, type BenchMode, type BenchModel, LOOPS, modelConfig, runConfig } from './cases.js';

/** A process with libtorch in it. */
const PROCESS = 300e6;
const FLOAT = 4;

export function ourBytes(model: BenchModel, shape: BatchShape, { objective, recomputeLoops }: BenchMode): number {
  const config = { ...runConfig(objective, shape), memory: { recomputeLoops } };
  const plan = planRun({ config, model: modelConfig(model) });
  return PROCESS + plan.memory.total;
}

export function peerBytes(model: BenchModel, { B, T }: BatchShape, mode: string): number {
  const { hidden: E, layers: L, heads: H, ffn: F, vocab: V } = model;
  const { hardShare, rollouts } = workOf(mode);
  const places = B * T;
  const passes = LOOPS + rollouts * (LOOPS - 1);
  const states = passes * L * places * 1.35 * FLOAT * (14 * E + 3 * F + 2 * H * T);
  // Log-probabilities of every loop are kept; logits and gradients of one are there beside them, or the teacher's entropies.
  const logits = places * V * FLOAT * (LOOPS * hardShare + 3);
  // Weights, gradients, two moments, a teacher.
  return PROCESS + states + logits + 5 * FLOAT * parameterCount(modelConfig(model));
}

/** The share of places that the head reads with gradient, and rollouts with gradient, in passes of all places. */
function workOf(mode: string): { hardShare: number; rollouts: number } {
  if (!mode.startsWith('looprpt')) return { hardShare: 1, rollouts: 0 };
  if (mode.endsWith('-gate')) return { hardShare: 0.2, rollouts: 0 };
  return { hardShare: 0.2, rollouts: mode.includes('-full-') ? 8 : 8 * 0.2 };
}

/** A worker that is wanted. */
export interface Participant {
  side: 'ours' | 'peer';
  mode: string;
  bytes: number;
}

/** Left to the system and other programs. */
const RESERVE = 1e9;

/** As many as fit, the small ones first: all of a group are in memory at once. */
export function admit(
  wanted: readonly Participant[],
  available: number,
): { admitted: Participant[]; skipped: string[] } {
  let left = available - RESERVE;
  const fits = new Set<Participant>();
  for (const one of [...wanted].sort((a, b) => a.bytes - b.bytes)) {
    if (one.bytes > left) break;
    left -= one.bytes;
    fits.add(one);
  }
  return split(wanted, (one) => fits.has(one), ` beside the others; ${gigabytes(available)} GB are free`);
}

/** Those that fit, each with the machine to itself. */
export function admitAlone(
  wanted: readonly Participant[],
  available: number,
): { admitted: Participant[]; skipped: string[] } {
  const fits = ({ bytes }: Participant): boolean => bytes <= available - RESERVE;
  return split(wanted, fits, `; ${gigabytes(available)} GB are free`);
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

function split(
  wanted: readonly Participant[],
  fits: (one: Participant) => boolean,
  free: string,
): { admitted: Participant[]; skipped: string[] } {
  const left = wanted.filter((one) => !fits(one));
  return {
    admitted: wanted.filter(fits),
    skipped: left.map(({ side, mode, bytes }) => `${side} ${mode} needs about ${gigabytes(bytes)} GB${free}`),
  };
}
