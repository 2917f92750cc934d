/**
 * Which of how many processes this one is, from the environment that its starter set: `looprpt launch`, torchrun, a Kubernetes job
 * (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) or srun (SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID, MASTER_ADDR).
 */
import { z } from 'zod';
import { UserError } from '../../base/user-error.js';

export interface Place {
  rank: number;
  size: number;
  /** Among the processes of this machine: which device is its own. */
  localRank: number;
  host: string;
  port: number;
  /** torchrun holds the store itself. */
  storeIsAgents: boolean;
  /** Tells this start of the processes from earlier ones. */
  attempt: string;
}

export const DEFAULT_PORT = 29_500;

const count = z.string().regex(/^\d+$/, 'is not a whole number').transform(Number);
const port = count.refine((value) => value > 0 && value < 65_536, 'is not a port, 1 to 65535');
const host = z.string().min(1, 'is empty');

type Environment = Readonly<Record<string, string | undefined>>;

function read<T>(env: Environment, name: string, schema: z.ZodType<T, string>, from: string): T {
  const value = env[name];
  if (value === undefined) throw new UserError(`${name}: is not set, though ${from} is; every process needs it`);
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new UserError(`${name}=${value}: ${parsed.error.issues[0]!.message}`);
  return parsed.data;
}

/** @returns null for a process on its own. @throws UserError naming the variable that is missing or makes no sense */
export function placeInEnvironment(env: Environment): Place | null {
  // In a shell inside an allocation Slurm sets the numbers too; only srun's processes are a step.
  if (env.WORLD_SIZE === undefined && env.SLURM_STEP_ID !== undefined && env.SLURM_PROCID !== undefined)
    return placeOf(env, 'SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID');
  if (env.WORLD_SIZE === undefined && env.RANK === undefined) return null;
  return placeOf(env, 'RANK', 'WORLD_SIZE', 'LOCAL_RANK');
}

function placeOf(env: Environment, rankName: string, sizeName: string, localName: string): Place | null {
  const size = read(env, sizeName, count, rankName);
  if (size === 0) throw new UserError(`${sizeName}=0: is not a number of processes`);
  const rank = read(env, rankName, count, sizeName);
  if (rank >= size) throw new UserError(`${rankName}=${rank}: is not below ${sizeName}=${size}`);
  if (size === 1) return null;
  const agents = env.TORCHELASTIC_USE_AGENT_STORE === 'True';
  return {
    rank,
    size,
    localRank: env[localName] === undefined ? 0 : read(env, localName, count, sizeName),
    host: read(env, 'MASTER_ADDR', host, sizeName),
    port: env.MASTER_PORT === undefined ? DEFAULT_PORT : read(env, 'MASTER_PORT', port, sizeName),
    storeIsAgents: agents,
    attempt: env.TORCHELASTIC_RESTART_COUNT ?? env.LOOPRPT_ATTEMPT ?? '0',
  };
}
