/**
 * All runs of a studio: found, read bit by bit, looked at again and again. Runs that somebody looks at are read first; what is asked for
 * meanwhile is answered from what is there.
 */
import { resolve } from 'node:path';
import { type FoundRuns, findRuns } from './find.js';
import { type RunCurves, type RunSummary, WatchedRun } from './run.js';
import type { ThinRange } from './series.js';

/** Bytes that are read in one go, between which questions are answered. */
const SLICE = 4 << 20;
const SEARCH_MS = 2000;

export class RunLibrary {
  readonly #roots: readonly string[];
  readonly #runs = new Map<string, WatchedRun>();
  readonly #changed = new Set<string>();
  #wanted: readonly string[] = [];
  #lines: string[] = [];
  #searched = 0;

  /** @param roots run folders, and folders with runs below them */
  constructor(roots: readonly string[]) {
    this.#roots = roots;
    this.search();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  get summaries(): RunSummary[] {
    return [...this.#runs.values()].map(({ summary }) => summary);
  }

  run(id: string): WatchedRun | undefined {
    return this.#runs.get(id);
  }

  /** Looks for folders that came or went. @returns whether some did */
  search(): boolean {
    this.#searched = Date.now();
    const { paths, lines }: FoundRuns = findRuns(this.#roots);
    const there = new Map([...this.#runs.values()].map((run) => [run.path, run]));
    const found = paths.map((path) => there.get(resolve(path)) ?? new WatchedRun(path));
    const changed = found.length !== this.#runs.size || found.some(({ id }) => !this.#runs.has(id));
    this.#lines = lines;
    if (!changed) return false;
    this.#runs.clear();
    for (const run of found) {
      if (!there.has(run.path)) this.#changed.add(run.id);
      this.#runs.set(run.id, run);
    }
    return true;
  }

  /** Reads a slice of what has not been read. @returns false where all has been */
  work(): boolean {
    const wanted = this.#wanted.flatMap((id) => this.#runs.get(id) ?? []);
    const next = [...wanted, ...this.#runs.values()].find((run) => !run.isRead);
    if (!next) return false;
    if (next.read(SLICE)) this.#changed.add(next.id);
    return true;
  }

  /** Looks at every run once more, for what was written since. @returns whether runs came or went */
  refresh(): boolean {
    const came = Date.now() - this.#searched > SEARCH_MS && this.search();
    for (const run of this.#runs.values()) {
      const isNew = run.isRead && run.read(SLICE);
      if (run.refresh() || isNew) this.#changed.add(run.id);
    }
    return came;
  }

  /** Looks whether one more checkpoint is whole. @returns false where all have been looked at */
  async check(): Promise<boolean> {
    for (const run of this.#runs.values())
      if (await run.check()) {
        this.#changed.add(run.id);
        return true;
      }
    return false;
  }

  /** Runs that changed since the last time. */
  takeChanges(): RunSummary[] {
    const summaries = [...this.#changed].flatMap((id) => this.#runs.get(id)?.summary ?? []);
    this.#changed.clear();
    return summaries;
  }

  curves(ids: readonly string[], columns: readonly string[], range: ThinRange): RunCurves[] {
    this.#wanted = ids;
    return ids.flatMap((id) => this.#runs.get(id)?.curves(columns, range) ?? []);
  }
}
