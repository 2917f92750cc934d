/**
 * The models that a studio's page may name: the one it was started with, the base that comes with the package, and every run with its
 * checkpoints. A page can open nothing else.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HOP_BASE } from '../../checkpoint/shipped.js';
import type { RunSummary } from '../folders/run.js';

export interface ModelEntry {
  /** What routes take. */
  id: string;
  /** What people read. */
  name: string;
  /** The model that a run began from, by its id here; null where it is not here. */
  base: string | null;
}

const BASE = 'hop-base';

export class Catalogue {
  readonly #given: string | null;
  readonly #runs: () => readonly RunSummary[];

  /** @param given the model that the studio was started with */
  constructor(given: string | null, runs: () => readonly RunSummary[]) {
    this.#given = given;
    this.#runs = runs;
  }

  get entries(): ModelEntry[] {
    return this.#all.map(({ id, name, from }) => ({ id, name, base: from === null ? null : this.#idOf(from) }));
  }

  /** What `openModel` takes; null for what is not here. */
  path(id: string): string | null {
    return this.#all.find((entry) => entry.id === id)?.path ?? null;
  }

  get #all(): { id: string; name: string; path: string; from: string | null }[] {
    const own = [
      ...(this.#given === null ? [] : [{ id: 'given', name: this.#given, path: this.#given, from: null }]),
      ...(existsSync(HOP_BASE) && this.#given !== BASE ? [{ id: BASE, name: BASE, path: BASE, from: null }] : []),
    ];
    const runs = this.#runs().flatMap(({ id, name, path, from, checkpoints }) => {
      const whole = checkpoints.filter(({ damage }) => damage === null);
      if (whole.length === 0) return [];
      const kept = whole.map(({ step }) => ({
        id: `${id}@${step}`,
        name: `${name}, step ${step}`,
        path: join(path, 'checkpoints', `step-${step}`),
        from,
      }));
      return [{ id, name, path, from }, ...kept];
    });
    return [...own, ...runs];
  }

  /** A model by the name or folder that a run's configuration has. */
  #idOf(from: string): string | null {
    return this.#all.find(({ path, name }) => path === from || name === from)?.id ?? null;
  }
}
