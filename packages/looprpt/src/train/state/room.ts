/** Whether what is about to be done with a model fits into the memory that is free; said before a weight is read. */
import { freeMemory } from '../../base/free-memory.js';
import { formatBytes } from '../../base/terminal/bytes.js';
import { UserError } from '../../base/user-error.js';
import { goesToLargePages } from '../../checkpoint/large-weights.js';
import type { PlannedModel } from './planned-model.js';

/** The program itself: Node, libtorch, a tokenizer, threads. */
export const PROGRAM_BYTES = 300e6;

export interface Need {
  /** Bytes beside weights and program, by what they are for. */
  parts: Readonly<Record<string, number>>;
  /** What can be done about it, a clause each. */
  less: readonly string[];
}

/** Bytes of memory of our own, mapped weights aside. */
export function ownBytes({ weights }: Pick<PlannedModel, 'weights'>, { parts }: Pick<Need, 'parts'>): number {
  return weights.own + PROGRAM_BYTES + sumOf(parts);
}

export function sumOf(parts: Need['parts']): number {
  return Object.values(parts).reduce((sum, bytes) => sum + bytes, 0);
}

/** Whether mapped weights will be copied to large pages. @param beside bytes that are taken beside weights and program */
export function isCopied(
  { way, weights }: Pick<PlannedModel, 'way' | 'weights'>,
  beside: number,
  free: number = freeMemory(),
): boolean {
  return way.way === 'read-only' && goesToLargePages(weights, beside + PROGRAM_BYTES, { free });
}

/**
 * Mapped weights are no reason to refuse: where they do not stay in memory they are read again, slowly. Other devices than the CPU
 * say themselves when they are full.
 * @throws UserError where memory of our own cannot fit
 */
export function assertRoom(
  planned: Pick<PlannedModel, 'name' | 'device' | 'weights'>,
  need: Need,
  free: number = freeMemory(),
): void {
  const own = ownBytes(planned, need);
  if (planned.device !== 'cpu' || own <= free) return;
  const { name, weights } = planned;
  const parts = Object.entries({ weights: weights.own, ...need.parts, program: PROGRAM_BYTES });
  const named = parts.filter(([, bytes]) => bytes > 0).map(([part, bytes]) => `${part} ${formatBytes(bytes)}`);
  const isSmall = weights.format.startsWith('int4') || weights.own < own / 4;
  const less = [...need.less, ...(isSmall ? [] : ['weights as int4'])];
  throw new UserError(
    `${name}: needs ${formatBytes(own)} of memory (${named.join(', ')}), and ${formatBytes(free)} are free: ${less.join(', or ')}`,
  );
}
