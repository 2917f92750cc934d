/** From the environment to the group of processes that a run is spread over. */
import { distributedBackends, PeerError, ProcessGroup } from '@looprpt/engine';
import { Interrupted, UserError } from '../../base/user-error.js';
import type { DistributedConfig } from './config.js';
import { placeInEnvironment } from './environment.js';
import { LostPeers } from './lost-peers.js';

export interface JoinSettings {
  distributed: DistributedConfig;
  /** `cpu`, or `cuda`: then every process takes the device of its local rank. */
  device: string;
}

/** @returns null for a process on its own. @throws UserError where the others cannot be met */
export async function joinPeers(
  { distributed, device }: JoinSettings,
  { signal, env = process.env }: { signal?: AbortSignal | undefined; env?: NodeJS.ProcessEnv } = {},
): Promise<ProcessGroup | null> {
  const place = placeInEnvironment(env);
  if (place === null) return null;
  const cuda = device.startsWith('cuda');
  const backend = cuda ? 'nccl' : 'gloo';
  const available = distributedBackends();
  if (available.length === 0)
    throw new UserError(
      `WORLD_SIZE=${place.size}: this libtorch has no distributed part (c10d with Gloo); use one that has (\`looprpt doctor\`), or start one process`,
    );
  if (!available.includes(backend))
    throw new UserError(
      `device=${device}: the engine was built without NCCL, which processes on CUDA devices need; \`looprpt doctor\` says what to install, then run the set-up again`,
    );
  const { timeLimitSeconds, silenceSeconds } = distributed;
  const options = { ...place, backend, device: place.localRank, timeLimitSeconds, silenceSeconds, signal } as const;
  return ProcessGroup.join(options).catch((error: Error) => {
    if (signal?.aborted) throw new Interrupted('interrupted while waiting for the other ranks; nothing was done');
    throw error instanceof PeerError ? new LostPeers(error.message) : error;
  });
}
