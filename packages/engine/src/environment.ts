/**
 * What must stand in the environment before libtorch is loaded, since its libraries read it once, then. Nothing here loads it.
 *
 * It must be called in the main thread: what a worker writes into `process.env` does not reach the libraries.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareBlas, thisProcessor } from '../setup/blas-record.mjs';
import type { EngineBuild } from '../setup/index.mjs';
import { refusal } from '../setup/instructions.mjs';

/** Iterations of libgomp's loop: about a fifth of a millisecond, */
const SPINS = 20_000;
/** and where others want the same cores: a spinning thread then holds up the very one that it waits for. */
const SPINS_AMONG_OTHERS = 2_000;
/** Per cent of the last ten seconds in which somebody waited for a core. */
const CROWDED = 50;

export const packageRoot = fileURLToPath(new URL('../', import.meta.url));

/** The `engine.json` in force: this package's, or the one that LOOPRPT_ENGINE_BUILD names (an addon for another libtorch). */
export function engineFile(environment: NodeJS.ProcessEnv): { file: string; base: string } {
  const other = environment.LOOPRPT_ENGINE_BUILD;
  if (!other) return { file: path.join(packageRoot, 'build/engine.json'), base: packageRoot };
  const file = path.resolve(other);
  return { file, base: path.dirname(file) };
}

/**
 * Why the addon in force must not be loaded on this processor: it may use instructions that are not there, and would end in the middle of
 * a step. Null where it may, and where there is none.
 */
export function whyNotHere(environment: NodeJS.ProcessEnv): string | null {
  try {
    const { instructions } = JSON.parse(readFileSync(engineFile(environment).file, 'utf8')) as Partial<EngineBuild>;
    return instructions ? refusal(instructions, thisProcessor().flags) : null;
  } catch {
    return null; // none, or damaged: said where it is loaded
  }
}

/** Leaves what the user has set. */
export function prepareEnvironment(environment: NodeJS.ProcessEnv): void {
  prepareWaiting(environment);
  prepareBlas(path.dirname(engineFile(environment).file), environment);
}

/**
 * How libtorch's threads wait for work. They must not spin for long: libtorch has a pool for the main thread and one for the
 * backward pass, and two pools that spin on the same cores are many times slower. But a thread that sleeps takes some 50 µs to
 * wake, which for small products is longer than the product. So they spin shortly, which bridges the gaps between operators, and
 * then sleep; on a machine whose cores are taken when the program starts, for a tenth of that.
 */
function prepareWaiting(environment: NodeJS.ProcessEnv): void {
  if (environment.OMP_WAIT_POLICY !== undefined) return;
  environment.OMP_WAIT_POLICY = 'passive';
  environment.GOMP_SPINCOUNT ??= String(spinsAt(pressure()));
}

/** @param text of Linux's `/proc/pressure/cpu`; null where there is none, and nobody knows whether cores are taken */
export function spinsAt(text: string | null): number {
  const share = /^some avg10=([\d.]+)/m.exec(text ?? '')?.[1];
  return share !== undefined && Number(share) > CROWDED ? SPINS_AMONG_OTHERS : SPINS;
}

function pressure(): string | null {
  try {
    return readFileSync('/proc/pressure/cpu', 'utf8');
  } catch {
    return null;
  }
}
