/** The engine, made ready for a command: built, with the threads that were asked for, on a device that is there. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { whyNotHere } from '@looprpt/engine/environment';
import { defaultThreads } from './threads.js';
import { UserError } from './user-error.js';

/**
 * Must come before anything that imports the engine.
 * @returns the device: the one asked for, else CUDA when there is one
 */
export async function prepareEngine({
  device,
  threads,
}: {
  device?: string | undefined;
  threads?: number | undefined;
}): Promise<string> {
  requireEngine();
  const { cudaDevices, setThreads } = await import('@looprpt/engine');
  setThreads(threads ?? defaultThreads(process.env));
  return deviceOf(device, cudaDevices());
}

/** @param cudaDevices how many there are @throws UserError for a device that is not among them */
export function deviceOf(asked: string | undefined, cudaDevices: number): string {
  if (asked === undefined) return cudaDevices > 0 ? 'cuda' : 'cpu';
  if (asked === 'cpu') return asked;
  const number = Number(/:(\d+)$/.exec(asked)?.[1] ?? 0);
  if (cudaDevices === 0)
    throw new UserError(`device ${asked}: this libtorch has no CUDA device; use cpu (\`looprpt doctor\` says more)`);
  if (number >= cudaDevices)
    throw new UserError(`device ${asked}: there are ${cudaDevices} CUDA devices, counted from 0`);
  return asked;
}

/** @throws UserError when the addon was never compiled, or for a processor that can do more than this one */
export function requireEngine(): void {
  if (!engineIsBuilt()) throw new UserError('the libtorch addon is not built yet: run `npx looprpt setup`');
  const reason = whyNotHere(process.env);
  if (reason !== null) throw new UserError(`${reason}: run \`npx looprpt setup\` here`);
}

export function engineIsBuilt(): boolean {
  const other = process.env.LOOPRPT_ENGINE_BUILD?.trim();
  if (other) return existsSync(other);
  const setup = createRequire(import.meta.url).resolve('@looprpt/engine/setup');
  return existsSync(process.env.LOOPRPT_ENGINE_BUILD || join(dirname(dirname(setup)), 'build', 'engine.json'));
}
