/** The PyTorch peer in lab/peer: with which Python it can be run. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Program } from './worker-process.js';

export interface Peer {
  program: Program;
  /** PyTorch's version. */
  version: string;
}

const SCRIPT = fileURLToPath(new URL('../../peer/bench_train.py', import.meta.url));
const PROBE = 'import numpy, sys, torch; sys.stdout.write(torch.__version__)';

/**
 * The first Python that imports PyTorch, one with our own libtorch's version before all others.
 * @returns null where there is none
 */
export function findPeer(libtorch: string, pythons: readonly string[] = ['python3', '/usr/bin/python3']): Peer | null {
  const found = pythons.flatMap((python): Peer[] => {
    const { status, stdout } = spawnSync(python, ['-c', PROBE], { encoding: 'utf8' });
    return status === 0 ? [{ program: [python, SCRIPT], version: stdout.trim() }] : [];
  });
  return found.find(({ version }) => sameVersion(version, libtorch)) ?? found[0] ?? null;
}

/**
 * A Python with PyTorch 2 or later, the newest of those at hand, for comparisons with what people would use today.
 * @returns null where there is none
 */
export function findPeerNow(pythons: readonly string[] = ['python3', '/usr/bin/python3']): Peer | null {
  const found = pythons.flatMap((python) => findPeer('', [python]) ?? []);
  const newest = found.toSorted((a, b) => b.version.localeCompare(a.version, 'en', { numeric: true }))[0];
  return newest !== undefined && Number.parseInt(newest.version, 10) >= 2 ? newest : null;
}

/** Whether two versions are of the same release: "1.13.0a0" and "1.13.0", "2.4.1+cpu" and "2.4.1". */
export function sameVersion(a: string, b: string): boolean {
  const release = (version: string): string | undefined => /^\d+\.\d+\.\d+/.exec(version)?.[0];
  return release(a) !== undefined && release(a) === release(b);
}
