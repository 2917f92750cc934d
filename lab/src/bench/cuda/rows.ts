/** From measured steps to the rows of the CUDA benchmark, their agreement with the peer's, and the table. */
import { renderTable } from 'looprpt/internal/base/terminal/table.js';
import type { Agreement } from '../agreement.js';
import { type Spread, spread } from '../statistics.js';
import type { CudaStep } from './job.js';

/** One side of a mode over all rounds. */
export interface SideMeasurement {
  /** The first step of every round, before anything was trained. */
  first: CudaStep | null;
  seconds: number[];
  /** Most bytes of the device. */
  peak: number | null;
}

export interface CudaRow {
  mode: string;
  peerMode: string;
  ours: SideSummary | null;
  peer: SideSummary | null;
  /** The peer's median over ours. */
  speedup: number | null;
  recomputeLoops: boolean;
}

export interface SideSummary {
  seconds: Spread;
  tokensPerSecond: number;
  /** Useful FLOPs a second as a share of the device's peak. */
  mfu: number;
  /** The same of the measured rate of a large product. */
  ofMatmul: number;
  peakGB: number | null;
}

export interface RowInput {
  mode: string;
  peerMode: string;
  tokens: number;
  /** Useful FLOPs of a step of ours, and of the peer's mode. */
  flops: { ours: number; peer: number };
  peak: number;
  matmul: number;
  recomputeLoops: boolean;
}

export function rowOf(input: RowInput, ours: SideMeasurement, peer: SideMeasurement | null): CudaRow {
  const { mode, peerMode, recomputeLoops, flops } = input;
  const sides = {
    ours: summary(ours, flops.ours, input),
    peer: peer && summary(peer, flops.peer, input),
  };
  const speedup = sides.ours && sides.peer && sides.peer.seconds.median / sides.ours.seconds.median;
  return { mode, peerMode, ...sides, speedup, recomputeLoops };
}

function summary({ seconds, peak }: SideMeasurement, flops: number, input: RowInput): SideSummary | null {
  if (seconds.length === 0) return null;
  const of = spread(seconds);
  return {
    seconds: of,
    tokensPerSecond: input.tokens / of.median,
    mfu: flops / of.median / input.peak,
    ofMatmul: flops / of.median / input.matmul,
    peakGB: peak === null ? null : peak / 1e9,
  };
}

/** bfloat16 has three digits, and the sides round in different places. */
const TOLERANCE = 0.02;
const PARTS = [
  ['representation', 'rep'],
  ['exitEntropy', 'ent'],
] as const;

/** Whether the first steps are the same computation: the loss, or for LoopRPT its parts before any random number. */
export function cudaAgreements(mode: string, ours: CudaStep, peer: CudaStep): Agreement[] {
  const compare = (what: string, a: number, b: number): Agreement => {
    return { mode, what, ours: a, peer: b, agree: Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a)) };
  };
  if (!mode.startsWith('looprpt')) return [compare('loss', ours.loss, peer.loss)];
  return PARTS.map(([own, theirs]) => compare(own, ours.parts[own] ?? Number.NaN, peer.parts[theirs] ?? Number.NaN));
}

export function cudaTable(rows: readonly CudaRow[]): string {
  const columns = ['mode', 'side', 'tokens/s', 's/step', 'MFU', 'of matmul', 'peak GB', 'times as fast'];
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const line = (name: string, side: string, of: SideSummary | null, speedup: number | null): string[] => {
    if (!of) return [name, side, ...Array(6).fill('–')];
    const { tokensPerSecond, seconds, mfu, ofMatmul, peakGB } = of;
    const numbers = [tokensPerSecond.toFixed(0), seconds.median.toFixed(3), percent(mfu), percent(ofMatmul)];
    return [name, side, ...numbers, peakGB?.toFixed(1) ?? '–', speedup?.toFixed(2) ?? ''];
  };
  const lines = rows.flatMap(({ mode, peerMode, ours, peer, speedup }) => [
    line(mode, 'ours', ours, speedup),
    line(peerMode, 'PyTorch', peer, null),
  ]);
  return renderTable(columns, lines, { indent: 2 });
}
