/**
 * Digests of metrics that runs keep none of themselves, in a folder of the user's. May be deleted at any time, and is kept small: what was
 * not used for longest goes first.
 */
import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Digest, readDigest } from '../../train/metrics/thinned/digest.js';

/** A thousand runs, about. */
const MOST_BYTES = 256 << 20;

export function cacheFolder({ XDG_CACHE_HOME }: NodeJS.ProcessEnv = process.env): string {
  return join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'looprpt', 'studio');
}

export class KeptDigests {
  readonly #folder: string;
  readonly #most: number;

  constructor(folder = cacheFolder(), most = MOST_BYTES) {
    this.#folder = folder;
    this.#most = most;
  }

  /** Where the digest of a file would be. */
  path(metrics: string): string {
    return join(this.#folder, `${createHash('sha256').update(metrics).digest('hex').slice(0, 32)}.thin`);
  }

  /** @returns null where there is none that is of the file as it is now */
  find(metrics: string): Digest | null {
    const path = this.path(metrics);
    const digest = readDigest(path, metrics);
    if (digest) quietly(() => utimesSync(path, new Date(), new Date()));
    return digest;
  }

  /** Removes what is too much. */
  prune(): void {
    quietly(() => {
      const all = readdirSync(this.#folder)
        .filter((name) => /\.(thin|partial)$/.test(name))
        .map((name) => ({ path: join(this.#folder, name), ...statSync(join(this.#folder, name)) }))
        .sort((a, b) => b.mtimeMs - a.mtimeMs);
      let bytes = 0;
      for (const { path, size } of all) {
        bytes += size;
        if (bytes > this.#most) rmSync(path, { force: true });
      }
    });
  }
}

/** Another studio may remove what this one looks at, and a disk may refuse: it costs time, no more. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {}
}
