/** What the ranks of a run must decide alike, though only rank 0 looks. */

import type { Peers } from '../../objectives/peers.js';
import { firstNotFinite } from '../state/finite.js';
import { type FoundCheckpoint, newestWholeCheckpoint } from '../state/run-state.js';
import type { Trainer } from '../trainer.js';
import type { WholeTensors } from '../trainer-tensors.js';

/** The newest whole checkpoint that rank 0 finds in the run folder, which all ranks see. */
export async function agreedCheckpoint(
  runFolder: string,
  peers: Peers,
  warn: (message: string) => void,
): Promise<FoundCheckpoint | null> {
  const found = peers.rank === 0 ? await newestWholeCheckpoint(runFolder, warn) : null;
  return peers.exchange(found)[0]!;
}

/** The first of a trainer's tensors that is not finite, by name; null if all are. */
export function poisonedIn(trainer: Trainer, tensors: WholeTensors, peers: Peers): string | null {
  const parameters = trainer.student.parameters().map(({ name, tensor }) => [name, tensor] as const);
  return peers.exchange(peers.rank === 0 ? firstNotFinite([...parameters, ...tensors]) : null)[0]!;
}
