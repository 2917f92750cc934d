/**
 * The checkpoints of a run, each looked at once: whether it is whole, by its checksums. To look means to read all of it, so one is
 * looked at at a time, the newest of each run before the older ones.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKSUMS_FILE, damageOf, listCheckpoints } from '../../train/state/folder.js';

export interface Checkpoint {
  step: number;
  path: string;
  /** In a few words; null where it is whole, or has not been looked at. */
  damage: string | null;
  /** Whether it has been looked at. */
  checked: boolean;
}

export class Checkpoints {
  readonly #folder: string;
  /** By path and the time of its list of sums. */
  readonly #known = new Map<string, string | null>();
  #found: Checkpoint[] = [];

  constructor(runFolder: string) {
    this.#folder = runFolder;
  }

  /** Newest first. */
  get all(): readonly Checkpoint[] {
    return this.#found;
  }

  /** @returns whether something is new */
  refresh(): boolean {
    const found = safeList(this.#folder).map(({ path, step }): Checkpoint => {
      const damage = this.#known.get(keyOf(path));
      return { step, path, damage: damage ?? null, checked: damage !== undefined };
    });
    const changed = JSON.stringify(found) !== JSON.stringify(this.#found);
    this.#found = found;
    return changed;
  }

  /** Looks at the newest one that has not been looked at. @returns false where there is none */
  async check(): Promise<boolean> {
    const next = this.#found.find(({ checked }) => !checked);
    if (!next) return false;
    const key = keyOf(next.path);
    let damage: string | null;
    try {
      damage = await damageOf(next.path);
    } catch (error) {
      // Removed while it was read: the run keeps a few only.
      damage = existsSync(next.path) ? (error as Error).message : null;
    }
    this.#known.set(key, damage);
    this.refresh();
    return true;
  }
}

function keyOf(path: string): string {
  return `${path} ${statSync(join(path, CHECKSUMS_FILE), { throwIfNoEntry: false })?.mtimeMs ?? 0}`;
}

function safeList(folder: string) {
  try {
    return listCheckpoints(folder);
  } catch {
    return [];
  }
}
