/**
 * Whether both sides compute the same: from equal weights and an equal batch, the first step of either must give the same
 * loss, or where a step draws random numbers, the same parts of it that do not depend on them.
 */
import type { ModeMeasurement } from './measure.js';
import type { StepReply } from './protocol.js';

export interface Agreement {
  mode: string;
  what: string;
  ours: number;
  peer: number;
  agree: boolean;
}

/** Relative to the number itself, or to 1 if that is larger. */
const TOLERANCE = 1e-4;

/** Parts of LoopRPT's loss before any random number: ours, the peer's name. */
const PARTS = [
  ['representation', 'rep'],
  ['exitEntropy', 'ent'],
  ['klTeacher', 'kl'],
] as const;

/** Empty where there is nothing to compare. */
export function agreements({ mode, ours, peer }: ModeMeasurement): Agreement[] {
  if (!mode.same || !ours || !peer) return [];
  const a = ours.first;
  const b = peer.first;
  const compared: [string, number, number][] =
    mode.objective.kind === 'looprpt'
      ? PARTS.map(([own, theirs]) => [own, part(a, own), part(b, theirs)])
      : [['loss', a.loss, b.loss]];
  return [['parameters', a.parameters, b.parameters] as [string, number, number], ...compared].map(
    ([what, ours, peer]) => ({ mode: mode.name, what, ours, peer, agree: close(ours, peer) }),
  );
}

function part({ parts }: StepReply, name: string): number {
  return parts[name] ?? Number.NaN;
}

function close(a: number, b: number): boolean {
  return Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a));
}
