/**
 * How many threads libtorch and its BLAS use. Both read the environment when they are loaded, so the numbers must stand
 * there before the engine is imported; nothing here imports it.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { prepareEnvironment } from '@looprpt/engine/environment';

const VARIABLES = ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'];

/**
 * Writes the number of threads into the environment, with what else the engine's libraries read there.
 * @param asked overrides what stands there; without it the environment's own values stay
 */
export function prepareThreads(environment: NodeJS.ProcessEnv, asked?: number | undefined): void {
  prepareEnvironment(environment);
  const threads = String(asked ?? defaultThreads(environment));
  for (const name of VARIABLES) environment[name] = asked === undefined ? (environment[name] ?? threads) : threads;
}

/** The value of `--threads` among raw arguments; undefined where it is missing or malformed (the parser will say so). */
export function threadsAmong(args: readonly string[]): number | undefined {
  const at = args.findLastIndex((arg) => arg === '--threads' || arg.startsWith('--threads='));
  if (at < 0) return undefined;
  const text = args[at] === '--threads' ? args[at + 1] : args[at]!.slice('--threads='.length);
  const value = Number(text);
  return Number.isInteger(value) && value >= 1 ? value : undefined;
}

/** `OMP_NUM_THREADS`, else the physical cores that this process may use: a second thread on one core only slows products down. */
export function defaultThreads(environment: NodeJS.ProcessEnv): number {
  const given = Number.parseInt(environment.OMP_NUM_THREADS ?? '', 10);
  if (given >= 1) return given;
  return Math.min(availableParallelism(), physicalCores() ?? Number.POSITIVE_INFINITY);
}

/** Distinct cores, by Linux's account of them; null elsewhere. */
export function physicalCores(): number | null {
  try {
    const blocks = readFileSync('/proc/cpuinfo', 'utf8').split('\n\n');
    const cores = blocks.flatMap((block) => {
      const core = /^core id\s*:\s*(\d+)$/m.exec(block)?.[1];
      const socket = /^physical id\s*:\s*(\d+)$/m.exec(block)?.[1] ?? '0';
      return core === undefined ? [] : [`${socket} ${core}`];
    });
    return cores.length === 0 ? null : new Set(cores).size;
  } catch {
    return null;
  }
}
