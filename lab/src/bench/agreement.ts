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

/**
 * For means over hard tokens. The entropies of a random model are so close that a row's last hard token can hang on their
 * last digit; another choice moves a mean over some hundred tokens by a thousandth. A difference in meaning moves it by more.
 */
const SELECTION_TOLERANCE = 5e-3;

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
  const compare = (what: string, ours: number, peer: number, tolerance: number): Agreement => {
    const agree = Math.abs(ours - peer) <= tolerance * Math.max(1, Math.abs(ours));
    return { mode: mode.name, what, ours, peer, agree };
  };
  return [
    compare('parameters', a.parameters, b.parameters, 0),
    ...(mode.objective.kind === 'looprpt'
      ? PARTS.map(([own, theirs]) => compare(own, part(a, own), part(b, theirs), SELECTION_TOLERANCE))
      : [compare('loss', a.loss, b.loss, TOLERANCE)]),
  ];
}

function part({ parts }: StepReply, name: string): number {
  return parts[name] ?? Number.NaN;
}
