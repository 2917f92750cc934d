/**
 * The environment of a rank: the variables that torchrun sets, with the same meaning, so that a program cannot tell who started
 * it. The CUDA device is the program's own choice, by LOCAL_RANK, as it is under torchrun.
 */
import { availableParallelism } from 'node:os';

/** Where this launcher stands among those of other machines. */
export interface Placement {
  nodes: number;
  nodeRank: number;
  /** Ranks on each machine. */
  ranksPerNode: number;
  masterAddress: string;
  masterPort: number;
}

export interface Attempt {
  /** How often all ranks have been started again. */
  restart: number;
  maxRestarts: number;
}

/** @param outer what the launcher was given; of it OMP_NUM_THREADS stays, everything that says who a rank is does not */
export function rankEnvironment(
  outer: NodeJS.ProcessEnv,
  { nodes, nodeRank, ranksPerNode, masterAddress, masterPort }: Placement,
  { restart, maxRestarts }: Attempt,
  localRank: number,
): NodeJS.ProcessEnv {
  const rank = nodeRank * ranksPerNode + localRank;
  return {
    ...outer,
    RANK: String(rank),
    LOCAL_RANK: String(localRank),
    WORLD_SIZE: String(nodes * ranksPerNode),
    LOCAL_WORLD_SIZE: String(ranksPerNode),
    GROUP_RANK: String(nodeRank),
    MASTER_ADDR: masterAddress,
    MASTER_PORT: String(masterPort),
    TORCHELASTIC_RESTART_COUNT: String(restart),
    TORCHELASTIC_MAX_RESTARTS: String(maxRestarts),
    OMP_NUM_THREADS: outer.OMP_NUM_THREADS ?? String(threadsFor(ranksPerNode)),
  };
}

/** The cores of this machine, divided among its ranks. */
export function threadsFor(ranks: number, cores: number = availableParallelism()): number {
  return Math.max(1, Math.floor(cores / ranks));
}

/** How often a launcher, ours or torchrun, has started this process's run again; 0 where none did. */
export function restartCount(environment: NodeJS.ProcessEnv): number {
  const count = Number(environment.TORCHELASTIC_RESTART_COUNT);
  return Number.isInteger(count) && count > 0 ? count : 0;
}
